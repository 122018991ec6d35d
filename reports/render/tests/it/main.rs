//! Pages of four small runs, told in code, beside what must come of them: `UPDATE_GOLDEN=1` writes them anew.
mod golden;
mod pages;
mod story;
