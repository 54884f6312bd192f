//! The peer: Intel's ISA-L, through its C interface, found at run time.

use std::env;
use std::ffi::c_int;

use libloading::Library;

/// Where to look: `ISAL_LIBRARY`, else wherever the dynamic linker finds it.
const DEFAULT_LIBRARY: &str = "libisal.so.2";

/// Bytes of expanded table that ISA-L needs for each coefficient.
const TABLE_BYTES: usize = 32;

type GenerateMatrix = unsafe extern "C" fn(*mut u8, c_int, c_int);
type InvertMatrix = unsafe extern "C" fn(*mut u8, *mut u8, c_int) -> c_int;
type InitTables = unsafe extern "C" fn(c_int, c_int, *const u8, *mut u8);
type EncodeData = unsafe extern "C" fn(c_int, c_int, c_int, *const u8, *const *const u8, *const *mut u8);

/// The loaded library.
pub(crate) struct Isal {
    library: Library,
    encode_data: EncodeData,
}

/// ISA-L's tables for one set of coefficients.
pub(crate) struct Plan<'a> {
    isal: &'a Isal,
    inputs: usize,
    outputs: usize,
    tables: Vec<u8>,
}

impl Isal {
    /// The library and the path it was loaded from, or why there is none.
    pub(crate) fn load() -> Result<(Self, String), libloading::Error> {
        let path = env::var("ISAL_LIBRARY").unwrap_or_else(|_| DEFAULT_LIBRARY.into());
        // SAFETY: ISA-L has no constructors with side effects; the signatures are those of its
        // erasure_code.h.
        unsafe {
            let library = Library::new(&path)?;
            let encode_data = *library.get::<EncodeData>(b"ec_encode_data")?;
            Ok((Self { library, encode_data }, path))
        }
    }

    /// The plan to encode `k` data fragments to `m` parity fragments.
    pub(crate) fn encoding(&self, k: usize, m: usize) -> Plan<'_> {
        self.plan(k, &self.matrix(k, m)[k * k..])
    }

    /// The plan to compute the data fragments 0 to `lost` from the `k` fragments `survivors`.
    pub(crate) fn recovery(&self, k: usize, m: usize, survivors: &[u8], lost: usize) -> Plan<'_> {
        let matrix = self.matrix(k, m);
        let mut rows: Vec<u8> =
            survivors.iter().flat_map(|&row| &matrix[usize::from(row) * k..][..k]).copied().collect();
        let mut inverse = vec![0; k * k];
        // SAFETY: both matrices are k x k.
        unsafe {
            let invert = self.library.get::<InvertMatrix>(b"gf_invert_matrix").unwrap();
            assert_eq!(invert(rows.as_mut_ptr(), inverse.as_mut_ptr(), k as c_int), 0);
        }
        self.plan(k, &inverse[..lost * k])
    }

    fn matrix(&self, k: usize, m: usize) -> Vec<u8> {
        let mut matrix = vec![0; (k + m) * k];
        // SAFETY: the matrix has k + m rows of k bytes.
        unsafe {
            let generate = self.library.get::<GenerateMatrix>(b"gf_gen_rs_matrix").unwrap();
            generate(matrix.as_mut_ptr(), (k + m) as c_int, k as c_int);
        }
        matrix
    }

    fn plan(&self, inputs: usize, coefficients: &[u8]) -> Plan<'_> {
        let outputs = coefficients.len() / inputs;
        let mut tables = vec![0; TABLE_BYTES * coefficients.len()];
        // SAFETY: there are 32 bytes for each of inputs * outputs coefficients.
        unsafe {
            let init = self.library.get::<InitTables>(b"ec_init_tables").unwrap();
            init(inputs as c_int, outputs as c_int, coefficients.as_ptr(), tables.as_mut_ptr());
        }
        Plan { isal: self, inputs, outputs, tables }
    }
}

impl Plan<'_> {
    /// Computes the outputs; their old content does not matter.
    pub(crate) fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        assert_eq!((inputs.len(), outputs.len()), (self.inputs, self.outputs));
        let length = inputs[0].len();
        assert!(inputs.iter().all(|input| input.len() == length));
        assert!(outputs.iter().all(|output| output.len() == length));
        let sources: [*const u8; 16] =
            std::array::from_fn(|i| inputs.get(i).map_or(std::ptr::null(), |input| input.as_ptr()));
        let targets: [*mut u8; 4] = std::array::from_fn(|i| {
            outputs.get_mut(i).map_or(std::ptr::null_mut(), |output| output.as_mut_ptr())
        });
        // SAFETY: the counts are those of the tables, and all fragments have `length` bytes.
        unsafe {
            (self.isal.encode_data)(
                length as c_int,
                self.inputs as c_int,
                self.outputs as c_int,
                self.tables.as_ptr(),
                sources.as_ptr(),
                targets.as_ptr(),
            );
        }
    }
}
