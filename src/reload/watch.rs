//! When to look at the files again: events of the file system, and a look every few seconds where events do not come (NFS,
//! overlays, a directory that was replaced).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// A change is looked at when nothing has happened for this long: `git pull` writes many files.
    pub(super) quiet: Duration,
    /// … but not later than this after the first event.
    pub(super) latest: Duration,
    /// Without events.
    pub(super) poll: Duration,
}

pub(super) const PACE: Pace =
    Pace { quiet: Duration::from_millis(200), latest: Duration::from_secs(2), poll: Duration::from_secs(5) };

/// What is watched. Directories of files, not files: editors and Kubernetes put another file in the old one's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Files, known or yet to come.
    pub files: BTreeSet<PathBuf>,
    /// Directories with all that lies below them.
    pub trees: BTreeSet<PathBuf>,
    /// What pgveil itself writes: events there, and of files whose names begin so, are none.
    pub own: BTreeSet<PathBuf>,
}

/// Watches places. Dropped, it stops.
pub struct Watch {
    changed: Arc<Notify>,
    places: Places,
    watcher: Option<RecommendedWatcher>,
    pace: Pace,
}

impl Watch {
    /// Begins to watch. Where the system offers no events only the regular look remains.
    pub fn begin(places: Places) -> Self {
        Self::at_pace(places, PACE)
    }

    pub(super) fn at_pace(places: Places, pace: Pace) -> Self {
        let mut watch = Self { changed: Arc::new(Notify::new()), places, watcher: None, pace };
        watch.renew();
        watch
    }

    /// Watches other places; also to be called when directories may have been replaced.
    pub fn follow(&mut self, places: Places) {
        self.places = places;
        self.renew();
    }

    fn renew(&mut self) {
        let (changed, own) = (Arc::clone(&self.changed), self.places.own.clone());
        let events = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| concerns(&event, &own)) {
                changed.notify_one();
            }
        };
        // The former one ends first: a process may have few of them.
        self.watcher = None;
        let mut watcher = match notify::recommended_watcher(events) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, every = ?self.pace.poll, "no file events; configuration files are looked at regularly instead");
                return;
            }
        };
        for (directory, mode) in self.directories() {
            if let Err(error) = watcher.watch(&directory, mode) {
                tracing::debug!(directory = %directory.display(), %error, "no file events here; it is looked at regularly");
            }
        }
        self.watcher = Some(watcher);
    }

    fn directories(&self) -> Vec<(PathBuf, RecursiveMode)> {
        let mut parents: BTreeSet<&Path> = self.places.files.iter().filter_map(|file| file.parent()).collect();
        // The tree itself may be a link that is swapped.
        parents.extend(self.places.trees.iter().filter_map(|tree| tree.parent()));
        let trees = self.places.trees.iter().map(|tree| (tree.clone(), RecursiveMode::Recursive));
        let parents = parents.into_iter().filter(|parent| !self.places.trees.contains(*parent));
        trees.chain(parents.map(|parent| (parent.to_owned(), RecursiveMode::NonRecursive))).collect()
    }

    /// Waits until something may have changed and things are quiet again. Cancel-safe.
    pub async fn changed(&self) {
        if tokio::time::timeout(self.pace.poll, self.changed.notified()).await.is_err() {
            return;
        }
        let latest = Instant::now() + self.pace.latest;
        loop {
            let quiet = (Instant::now() + self.pace.quiet).min(latest);
            if timeout_at(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// Reading is no change, or every look would cause the next one.
fn concerns(event: &notify::Event, own: &BTreeSet<PathBuf>) -> bool {
    let change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    change && (event.paths.is_empty() || event.paths.iter().any(|path| !is_own(path, own)))
}

fn is_own(path: &Path, own: &BTreeSet<PathBuf>) -> bool {
    own.iter().any(|mine| path.as_os_str().as_encoded_bytes().starts_with(mine.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(root: &Path) -> Places {
        Places {
            files: [root.join("policy.toml")].into(),
            trees: [root.join("catalog")].into(),
            own: [root.join("audit")].into(),
        }
    }

    /// Whether an event comes: the regular look is an hour away.
    async fn seen(watch: &Watch) -> bool {
        tokio::time::timeout(Duration::from_secs(60), watch.changed()).await.is_ok()
    }

    async fn begin(root: &Path) -> Watch {
        std::fs::create_dir(root.join("catalog")).unwrap();
        let pace = Pace { poll: Duration::from_secs(3600), ..PACE };
        let watch = Watch::at_pace(places(root), pace);
        // What was done before it began may still be told.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let _ = tokio::time::timeout(Duration::from_millis(1), watch.changed.notified()).await;
        watch
    }

    #[tokio::test]
    async fn a_file_written_in_place_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let watch = begin(root.path()).await;
        std::fs::write(root.path().join("policy.toml"), "a").unwrap();
        assert!(seen(&watch).await);
    }

    #[tokio::test]
    async fn a_rename_as_editors_do_it_is_seen() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("policy.toml"), "a").unwrap();
        let watch = begin(root.path()).await;
        std::fs::write(root.path().join("next"), "b").unwrap();
        std::fs::rename(root.path().join("next"), root.path().join("policy.toml")).unwrap();
        assert!(seen(&watch).await);
    }

    #[tokio::test]
    async fn a_file_in_a_directory_that_is_new_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let watch = begin(root.path()).await;
        let domain = root.path().join("catalog/sales");
        std::fs::create_dir(&domain).unwrap();
        assert!(seen(&watch).await);
        std::fs::write(domain.join("orders.toml"), "a").unwrap();
        assert!(seen(&watch).await);
    }

    #[tokio::test]
    async fn a_swapped_link_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let watch = begin(root.path()).await;
        let catalog = root.path().join("catalog");
        std::fs::create_dir(catalog.join("..1")).unwrap();
        std::os::unix::fs::symlink("..1", catalog.join("..data")).unwrap();
        assert!(seen(&watch).await);
        std::os::unix::fs::symlink("..2", catalog.join("..tmp")).unwrap();
        std::fs::rename(catalog.join("..tmp"), catalog.join("..data")).unwrap();
        assert!(seen(&watch).await);
    }

    #[tokio::test]
    async fn reading_and_the_own_files_are_no_change() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("policy.toml"), "a").unwrap();
        let watch = begin(root.path()).await;
        std::fs::read(root.path().join("policy.toml")).unwrap();
        std::fs::write(root.path().join("audit.jsonl"), "a").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(800), watch.changed()).await.is_err());
    }

    fn without_events(poll: Duration) -> Watch {
        let pace = Pace { quiet: Duration::from_millis(50), latest: Duration::from_millis(300), poll };
        Watch { changed: Arc::default(), places: Places::default(), watcher: None, pace }
    }

    #[tokio::test]
    async fn without_events_it_looks_regularly() {
        let watch = without_events(Duration::from_millis(100));
        let start = Instant::now();
        watch.changed().await;
        assert!(start.elapsed() >= watch.pace.poll);
    }

    #[tokio::test]
    async fn a_storm_of_events_is_looked_at_in_time() {
        // However long a busy machine pauses the storm, it is never quiet for an hour.
        let mut watch = without_events(Duration::from_secs(3600));
        watch.pace.quiet = Duration::from_secs(3600);
        let changed = Arc::clone(&watch.changed);
        let storm = tokio::spawn(async move {
            loop {
                changed.notify_one();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let start = Instant::now();
        watch.changed().await;
        assert!(start.elapsed() >= watch.pace.latest && start.elapsed() < Duration::from_secs(600));
        storm.abort();
    }
}
