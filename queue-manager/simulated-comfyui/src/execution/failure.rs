//! What nodes raise, in the words of the real server.

use std::path::Path;

/// An exception in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exception's class with its module, such as `torch.OutOfMemoryError`.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl Failure {
    /// A plain `RuntimeError`.
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self { kind: "RuntimeError", message: message.into() }
    }

    /// What a node told to fail raises. As a careless paid node might, it tells the keys it was given.
    pub(crate) fn told_to(keys: &[String]) -> Self {
        let given = if keys.is_empty() { String::new() } else { format!(" with {}", keys.join(" ")) };
        Self::runtime(format!("simulated failure: this node was told to fail{given}"))
    }

    /// What `PyTorch` raises when the device's memory is full, with the advice that `ComfyUI` adds.
    pub(crate) fn out_of_memory() -> Self {
        let message = "Allocation on device 0 would exceed allowed memory. (out of memory)\n\
             Currently allocated     : 7.44 GiB\n\
             Requested               : 4.50 GiB\n\
             Device limit            : 8.00 GiB\n\
             Free (according to CUDA): 0 bytes\n\
             PyTorch limit (set by user-supplied memory fraction)\n                        \
             : 17179869184.00 GiB\n\
             This error means you ran out of memory on your GPU.\n\n\
             TIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.";
        Self { kind: "torch.OutOfMemoryError", message: message.to_owned() }
    }

    /// What `LoadImage` raises on a file that is no picture. Here that is every file but a PNG.
    pub(crate) fn unidentified(path: &Path) -> Self {
        Self {
            kind: "PIL.UnidentifiedImageError",
            message: format!("cannot identify image file '{}'\n", path.display()),
        }
    }

    /// What `SaveImage` raises on a prefix that leads out of its folder.
    pub(crate) fn outside(folder: &Path, prefix: &str) -> Self {
        let folder = folder.display();
        Self {
            kind: "Exception",
            message: format!(
                "**** ERROR: Saving image outside the output folder is not allowed.\n \
                 full_output_folder: {folder}/{prefix}\n         output_dir: {folder}\n"
            ),
        }
    }

    /// One line where the real server has a Python stack.
    pub(crate) fn traceback(&self, class: &str) -> Vec<String> {
        vec![format!("  File \"simulated-comfyui\", in {class}\n    raise {}\n", self.kind)]
    }
}
