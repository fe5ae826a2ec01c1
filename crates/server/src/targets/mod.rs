//! Targets of publication: the folders and buckets of the configuration.

mod bucket;
mod folder;

use crate::Error;
use crate::config::TargetSettings;
use crate::outbound::{Resolve, Trust};
use certwright_app::{Target, Targets};
use certwright_domain::name::ResourceName;
use std::sync::Arc;

/// Makes the targets. Nothing is opened or asked yet, but for the files with secrets.
pub(crate) fn open(
    settings: &[(ResourceName, TargetSettings)],
    resolver: &Arc<dyn Resolve>,
    trust: &Arc<Trust>,
) -> Result<Targets, Error> {
    let mut targets: Vec<(ResourceName, Arc<dyn Target>)> = Vec::new();
    for (name, settings) in settings {
        let target: Arc<dyn Target> = match settings {
            TargetSettings::Folder { path } => Arc::new(folder::Folder::new(path.clone())),
            TargetSettings::Bucket(settings) => {
                Arc::new(bucket::Bucket::new(settings, Arc::clone(resolver), Arc::clone(trust))?)
            }
        };
        targets.push((name.clone(), target));
    }
    Ok(Targets::new(targets))
}
