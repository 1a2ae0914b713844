//! `codling image load`.

use super::commands::{Image, ImageCommand, ImageLoad};
use super::console::Console;
use super::progress::Counted;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::config::{Config, Surroundings};
use crate::engine::{ContainerEngine, Engine as _, SocketSearch};
use futures_lite::AsyncRead;
use futures_lite::io::AssertAsync;
use std::fs::File;
use std::io::ErrorKind;
use std::pin::Pin;

/// The file name that means stdin.
const STDIN: &str = "-";

/// Performs `codling image ...`.
pub(super) fn image(
    args: &Image,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    match &args.command {
        ImageCommand::Load(args) => load(args, around, console),
    }
}

/// Straight to the engine's socket: no node needs to run, so images can be brought before the first start.
fn load(args: &ImageLoad, around: Surroundings, console: &mut Console) -> Result<Ended, CliError> {
    let (uid, runtime_dir) = (around.uid, Config::runtime_dir_of(&around));
    let socket = Config::engine_socket_of(&raw(around, [("engine-socket", &args.engine_socket)]))?;
    let archive = archive(&args.file)?;
    let engine = ContainerEngine::new(&SocketSearch {
        explicit: socket.value.map(|path| path.display().to_string()),
        docker_host: None,
        container_host: None,
        runtime_dir: Some(runtime_dir),
        uid,
    });
    let names = async_io::block_on(engine.load_image(archive))
        .map_err(|source| CliError::Engine { source, uid })?;
    if args.json {
        console.line(&serde_json::json!({ "Images": names }).to_string())?;
    } else {
        for name in &names {
            console.line(&format!("loaded {name}"))?;
        }
    }
    Ok(Ended::WELL)
}

/// Reads block, which is well here: this command does one thing.
fn archive(path: &str) -> Result<Pin<Box<dyn AsyncRead + Send>>, CliError> {
    if path == STDIN {
        let archive = Counted::new(std::io::stdin(), None);
        return Ok(Box::pin(AssertAsync::new(archive)));
    }
    let unreadable = |source| CliError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    let total = meta.is_file().then_some(meta.len());
    Ok(Box::pin(AssertAsync::new(Counted::new(file, total))))
}
