//! What only a build with the feature `observe` keeps, and takes memory for.

/// A value that is read as usual, is changed through [`note`](Self::note), and stays
/// [`AT_REST`](AtRest::AT_REST) in a build that observes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<T> {
    #[cfg(feature = "observe")]
    value: T,
    #[cfg(not(feature = "observe"))]
    value: core::marker::PhantomData<T>,
}

/// What is read where nothing is observed.
pub(crate) trait AtRest: 'static {
    /// The value before anything was noted.
    #[cfg_attr(feature = "observe", expect(dead_code, reason = "what is observed is read itself"))]
    const AT_REST: &'static Self;
}

#[cfg(feature = "observe")]
impl<T> Observed<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value }
    }

    pub(crate) fn note<R: Default>(&mut self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.value)
    }
}

#[cfg(feature = "observe")]
impl<T: AtRest> core::ops::Deref for Observed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(not(feature = "observe"))]
impl<T: Copy> Observed<T> {
    pub(crate) const fn new(_: T) -> Self {
        Self { value: core::marker::PhantomData }
    }

    pub(crate) fn note<R: Default>(&mut self, _: impl FnOnce(&mut T) -> R) -> R {
        R::default()
    }
}

#[cfg(not(feature = "observe"))]
impl<T: AtRest> core::ops::Deref for Observed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        T::AT_REST
    }
}
