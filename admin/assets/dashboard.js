// Keeps the room's numbers live; says so when they are not.
'use strict';

const live = document.getElementById('live');
const room = document.getElementById('room');
let lastHeard = Date.now();
let open = false;

function show(update) {
  document.getElementById('headline').textContent = update.headline;
  for (const place of document.querySelectorAll('[data-count]')) {
    place.textContent = update.counts[place.dataset.count];
  }
}

function tell() {
  const age = Math.round((Date.now() - lastHeard) / 1000);
  live.textContent = open ? 'Live' : `Reconnecting… last update ${age} s ago`;
  room.classList.toggle('stale', !open);
}

function listen(wait) {
  const address = new URL('/feed', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address);
  socket.addEventListener('message', (event) => {
    open = true;
    wait = 250;
    lastHeard = Date.now();
    show(JSON.parse(event.data));
    tell();
  });
  socket.addEventListener('close', () => {
    open = false;
    tell();
    setTimeout(() => listen(Math.min(wait * 2, 5000)), wait);
  });
}

setInterval(tell, 1000);
listen(250);
