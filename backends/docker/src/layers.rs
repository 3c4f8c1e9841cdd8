//! An image's layers on their way, as engines tell of them one by one.

use std::collections::BTreeMap;

use alveary_core::{FetchStage, FetchUnit};

/// The layers of an image that is being fetched.
#[derive(Debug, Default)]
pub(crate) struct Layers(BTreeMap<String, Layer>);

#[derive(Debug, Default)]
struct Layer {
    /// Of how many bytes so many are here, where that was told.
    bytes: Option<(u64, u64)>,
    is_here: bool,
}

impl Layers {
    /// A layer is now so. What is said of anything else is passed over.
    pub(crate) fn step(&mut self, layer: &str, status: &str, bytes: Option<(i64, i64)>) {
        match status {
            "Pulling fs layer" | "Waiting" | "Retrying" => {
                self.0.entry(layer.to_owned()).or_default();
            }
            "Downloading" => {
                let layer = self.0.entry(layer.to_owned()).or_default();
                let told = bytes.map(|(here, all)| (here.try_into(), all.try_into()));
                // Of some layers engines do not know the size: it is less than nothing then.
                if let Some((Ok(here), Ok(all))) = told {
                    layer.bytes = Some((here, all));
                }
            }
            "Verifying Checksum" | "Download complete" | "Extracting" | "Pull complete" => {
                let layer = self.0.entry(layer.to_owned()).or_default();
                layer.is_here = true;
                if let Some((here, all)) = &mut layer.bytes {
                    *here = (*here).max(*all);
                }
            }
            _ => {}
        }
    }

    /// How far all of them have come.
    pub(crate) fn stage(&self) -> FetchStage {
        let layers = || self.0.values();
        if layers().all(|layer| layer.bytes.is_none()) {
            let here = layers().filter(|layer| layer.is_here).count() as u64;
            return FetchStage::UnderWay {
                done: here,
                total: (!self.0.is_empty()).then_some(self.0.len() as u64),
                unit: FetchUnit::Parts,
            };
        }
        // A layer that came before anything was told of its bytes is a small one.
        let all_known = layers().all(|layer| layer.bytes.is_some() || layer.is_here);
        let bytes = || layers().filter_map(|layer| layer.bytes);
        FetchStage::UnderWay {
            done: bytes().map(|(here, _)| here).sum(),
            total: all_known.then(|| bytes().map(|(_, all)| all).sum()),
            unit: FetchUnit::Bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(done: u64, total: Option<u64>) -> FetchStage {
        let unit = FetchUnit::Bytes;
        FetchStage::UnderWay { done, total, unit }
    }

    fn parts(done: u64, total: Option<u64>) -> FetchStage {
        let unit = FetchUnit::Parts;
        FetchStage::UnderWay { done, total, unit }
    }

    #[test]
    fn the_bytes_of_all_layers_are_one_sum_once_all_sizes_are_known() {
        let mut layers = Layers::default();
        for (layer, status, told, stage) in [
            ("latest", "Pulling from library/agent", None, parts(0, None)),
            ("a", "Pulling fs layer", None, parts(0, Some(1))),
            ("b", "Pulling fs layer", None, parts(0, Some(2))),
            ("c", "Already exists", None, parts(0, Some(2))),
            ("a", "Downloading", Some((10, 100)), bytes(10, None)),
            ("b", "Downloading", Some((5, 50)), bytes(15, Some(150))),
            ("b", "Download complete", None, bytes(60, Some(150))),
            ("a", "Downloading", Some((90, 100)), bytes(140, Some(150))),
            ("a", "Extracting", Some((3, 100)), bytes(150, Some(150))),
        ] {
            layers.step(layer, status, told);
            assert_eq!(layers.stage(), stage, "{layer}: {status}");
        }
    }

    #[test]
    fn where_no_bytes_are_told_the_layers_are_counted() {
        let mut layers = Layers::default();
        for layer in ["a", "b", "c"] {
            layers.step(layer, "Pulling fs layer", None);
        }
        layers.step("b", "Pull complete", None);
        assert_eq!(layers.stage(), parts(1, Some(3)));
        layers.step("Digest", "sha256:0", None);
        assert_eq!(layers.stage(), parts(1, Some(3)));
    }

    #[test]
    fn a_size_that_is_not_known_is_not_counted() {
        let mut layers = Layers::default();
        layers.step("a", "Downloading", Some((10, -1)));
        assert_eq!(layers.stage(), parts(0, Some(1)));
    }
}
