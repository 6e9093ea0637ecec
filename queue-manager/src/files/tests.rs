//! Files in a folder of their own: what is kept, what is listed, and what goes.

use super::*;

#[tokio::test]
async fn a_symlink_out_of_the_folder_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("canary"), "secret").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let path = StorePath::new(&["link", "canary"]).unwrap();
    assert!(files.read(&path).await.is_err());
    assert!(files.write(&path, b"x".to_vec()).await.is_err());
}

#[tokio::test]
async fn a_body_over_the_limit_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let path = StorePath::new(&["a", "b.png"]).unwrap();
    let body = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"12345678"))]);
    let error = files.write_stream(&path, 7, body).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert!(files.entry(&path).is_err());
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_written_is_listed_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let path = StorePath::new(&["a", "sub", "b.txt"]).unwrap();
    let written = files.write(&path, b"hello".to_vec()).await.unwrap();
    assert_eq!(written.size, 5);
    let list = files.list(&StorePath::new(&["a"]).unwrap(), true).await.unwrap();
    assert_eq!(list[0].name, "sub/b.txt");
    assert_eq!(files.read(&path).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_folder_goes_with_its_last_file_and_none_is_too_deep_to_be_listed() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let own = StorePath::new(&["userdata", "ada"]).unwrap();
    assert_eq!(files.list_all(&own).await.unwrap(), []);
    let at = |rest: &str| StorePath::new(&["userdata", "ada", rest]).unwrap();
    for name in ["a/b/c", "a/d"] {
        files.write(&at(name), b"x".to_vec()).await.unwrap();
    }
    files.rename(&at("a/b/c"), &at("e/f")).unwrap();
    let left = |name: &str| folder.path().join("userdata/ada").join(name).exists();
    assert!(!left("a/b") && left("a"));
    files.remove(&at("a/d")).unwrap();
    files.remove(&at("e/f")).unwrap();
    assert!(!left("a") && !left("e") && left(""));
    assert!(files.list_all(&StorePath::new(&["incoming", "x"]).unwrap()).await.unwrap().is_empty());
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let no_folder = files.list_all(&StorePath::new(&["file"]).unwrap()).await;
    assert!(no_folder.is_err(), "what cannot be listed is not empty");
    let deep = ["d"; 400].join("/");
    std::fs::create_dir_all(folder.path().join("userdata/ada").join(&deep)).unwrap();
    std::fs::write(folder.path().join("userdata/ada").join(&deep).join("x"), "x").unwrap();
    assert_eq!(files.list_all(&own).await.unwrap().len(), 1);
}
