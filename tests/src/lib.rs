//! Tests that stand above the packages: whole pools, layers, documents.
