//! Writes `docs/configuration.md` and `.env.example` from the programs' own definitions.

use testkit::configuration::{example, page};
use testkit::process::repository;

fn main() -> anyhow::Result<()> {
    let here = repository();
    let start_sh = std::fs::read_to_string(here.join("scripts/start.sh"))?;
    std::fs::write(here.join("docs/configuration.md"), page(&start_sh))?;
    std::fs::write(here.join(".env.example"), example(&start_sh))?;
    Ok(())
}
