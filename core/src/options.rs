//! Options that may grow: structs whose fields are set by methods of the same names.

/// Declares a struct of options and, for each field, the method of its name: it sets the field and gives the
/// options back. What a field may lack (`Option`) is set by what it then has.
macro_rules! options {
    ($(#[$doc:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$doc])*
        #[non_exhaustive]
        pub struct $name { $($fields)* }

        impl $name {
            $crate::options::options! { @methods $($fields)* }
        }
    };
    (@methods $(#[$doc:meta])* pub $field:ident: Option<$type:ty>, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $field(mut self, $field: $type) -> Self {
            self.$field = Some($field);
            self
        }

        $crate::options::options! { @methods $($rest)* }
    };
    (@methods $(#[$doc:meta])* pub $field:ident: $type:ty, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }

        $crate::options::options! { @methods $($rest)* }
    };
    (@methods) => {};
}
pub(crate) use options;
