//! settings — a container's resources as the kernel's files want them (`semantics.md` 6.1 and 6.2).

use super::Resources;

/// The two interfaces of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// One value for one file. What is not required may be missing in some kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub controller: &'static str,
    pub file: &'static str,
    pub value: String,
    pub required: bool,
}

/// Microseconds over which CPU is limited.
const PERIOD: u64 = 100_000;
/// The kernel takes no smaller quota.
const QUOTA_MIN: u64 = 1000;
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

fn quota(limit: u64) -> u64 {
    (limit * PERIOD / 1000).max(QUOTA_MIN)
}

fn shares(request: u64) -> u64 {
    (request * 1024 / 1000).clamp(*SHARES.start(), *SHARES.end())
}

/// Shares of version 1 as a weight of version 2: 1024 becomes 100, both ends stay ends.
fn weight(shares: u64) -> u64 {
    let l = (shares as f64).log2();
    let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    (10_f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
}

/// What to write, in this order.
pub(super) fn of(version: Version, resources: &Resources) -> Vec<Setting> {
    let set = |controller, file, value: String| Setting {
        controller,
        file,
        value,
        required: true,
    };
    let wish = |controller, file, value: String| Setting {
        required: false,
        ..set(controller, file, value)
    };
    let quota = resources.cpu_limit.map(quota);
    let shares = shares(resources.cpu_request);
    let mut all = match version {
        Version::One => {
            let quota = quota.map_or("-1".into(), |quota| quota.to_string());
            vec![
                set("cpu", "cpu.cfs_period_us", PERIOD.to_string()),
                set("cpu", "cpu.cfs_quota_us", quota),
                set("cpu", "cpu.shares", shares.to_string()),
            ]
        }
        Version::Two => {
            let quota = quota.map_or("max".into(), |quota| quota.to_string());
            vec![
                set("cpu", "cpu.max", format!("{quota} {PERIOD}")),
                set("cpu", "cpu.weight", weight(shares).to_string()),
                wish("memory", "memory.oom.group", "1".into()),
            ]
        }
    };
    if let Some(bytes) = resources.memory_limit {
        let bytes = bytes.to_string();
        all.extend(match version {
            Version::One => [
                set("memory", "memory.limit_in_bytes", bytes.clone()),
                wish("memory", "memory.memsw.limit_in_bytes", bytes),
            ],
            Version::Two => [
                set("memory", "memory.max", bytes),
                wish("memory", "memory.swap.max", "0".into()),
            ],
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_shares_and_weight_are_those_of_the_kubelet() {
        let table = [
            (10, 1000, 10, 4),
            (50, 5000, 51, 11),
            (100, 10_000, 102, 17),
            (200, 20_000, 204, 29),
            (250, 25_000, 256, 35),
            (500, 50_000, 512, 59),
            (1000, 100_000, 1024, 100),
            (2000, 200_000, 2048, 174),
        ];
        for (millis, q, s, w) in table {
            let seen = (quota(millis), shares(millis), weight(shares(millis)));
            assert_eq!(seen, (q, s, w), "{millis}m");
        }
        assert_eq!((weight(2), weight(262_144)), (1, 10_000));
    }

    #[test]
    fn res_4_a_limit_of_5m_behaves_as_10m() {
        assert_eq!(quota(5), quota(10));
    }

    fn written(version: Version, resources: &Resources) -> Vec<String> {
        let all = of(version, resources).into_iter();
        all.map(|one| format!("{}={}", one.file, one.value))
            .collect()
    }

    #[test]
    fn each_version_has_files_of_its_own() {
        let resources = Resources {
            cpu_limit: Some(200),
            cpu_request: 100,
            memory_limit: Some(1 << 20),
        };
        assert_eq!(
            written(Version::One, &resources),
            [
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=20000",
                "cpu.shares=102",
                "memory.limit_in_bytes=1048576",
                "memory.memsw.limit_in_bytes=1048576"
            ]
        );
        assert_eq!(
            written(Version::Two, &resources),
            [
                "cpu.max=20000 100000",
                "cpu.weight=17",
                "memory.oom.group=1",
                "memory.max=1048576",
                "memory.swap.max=0"
            ]
        );
    }

    #[test]
    fn without_a_limit_there_is_none() {
        let nothing = Resources::default();
        assert_eq!(written(Version::One, &nothing)[1], "cpu.cfs_quota_us=-1");
        assert_eq!(written(Version::Two, &nothing)[0], "cpu.max=max 100000");
    }
}
