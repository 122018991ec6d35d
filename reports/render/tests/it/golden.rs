//! Files that must come out as they are in `reports/golden`.
use std::{env, fs, path::PathBuf};

/// Compares with the golden file, or writes it with `UPDATE_GOLDEN=1`.
pub fn same(run: &str, file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../golden")
        .join(run)
        .join(file);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(text.lines()).position(|(a, b)| a != b);
    let lines = (golden.lines().count(), text.lines().count());
    assert!(
        golden == text,
        "{} differs at line {:?} (lines golden, now: {lines:?}); UPDATE_GOLDEN=1 writes it anew",
        path.display(),
        differs.map(|i| i + 1)
    );
}
