// The browser file of the one custom node: it says on the page that it was loaded.
import { app } from "../../scripts/app.js";

app.registerExtension({
  name: "simulated.badge",
  setup() {
    document.documentElement.dataset.simulatedBadge = "loaded";
  },
});
