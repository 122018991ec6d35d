//! mybnb
