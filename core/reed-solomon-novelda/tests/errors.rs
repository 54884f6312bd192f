//! Every way to call the crate wrongly has its error, and says so in words.

use reed_solomon_novelda::{Code, Kernel, ParameterError, RecoverError, ShapeError};

fn code(k: u8, m: u8) -> Code {
    Code::new(k, m).unwrap()
}

#[test]
fn parameters_out_of_range_are_refused() {
    for k in 0..=255 {
        for m in 0..=255 {
            let expected = match (k, m) {
                (1..=16, 0..=4) => None,
                (1..=16, _) => Some(ParameterError::Parity(m)),
                _ => Some(ParameterError::Data(k)),
            };
            assert_eq!(Code::new(k, m).err(), expected);
        }
    }
    assert_eq!(ParameterError::Data(17).to_string(), "17 data fragments, possible are 1 to 16");
    assert_eq!(ParameterError::Parity(5).to_string(), "5 parity fragments, possible are 0 to 4");
}

#[test]
fn a_code_knows_its_size() {
    let code = code(10, 4);
    assert_eq!((code.data(), code.parity(), code.fragments()), (10, 4, 14));
}

/// Encodes fragments of zeros with the given lengths, and checks that an error left the output.
fn encode(code: Code, data: &[usize], parity: &[usize]) -> Result<(), ShapeError> {
    let data: Vec<Vec<u8>> = data.iter().map(|&length| vec![0; length]).collect();
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut buffers: Vec<Vec<u8>> = parity.iter().map(|&length| vec![0xff; length]).collect();
    let mut parity: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    let result = code.encode(&data, &mut parity);
    let left_alone = buffers.concat().iter().all(|&byte| byte == 0xff);
    assert!(result.is_ok() || left_alone);
    result
}

#[test]
fn fragments_that_do_not_fit_are_refused() {
    let code = code(3, 2);
    assert_eq!(encode(code, &[9, 9, 9], &[9, 9]), Ok(()));
    let count = |expected, actual| ShapeError::InputCount { expected, actual };
    assert_eq!(encode(code, &[9, 9], &[9, 9]), Err(count(3, 2)));
    assert_eq!(encode(code, &[], &[9, 9]), Err(count(3, 0)));
    let count = |expected, actual| ShapeError::OutputCount { expected, actual };
    assert_eq!(encode(code, &[9, 9, 9], &[9, 9, 9]), Err(count(2, 3)));
    assert_eq!(encode(code, &[9, 9, 9], &[]), Err(count(2, 0)));
    let length = |expected, actual| ShapeError::Length { expected, actual };
    assert_eq!(encode(code, &[9, 8, 9], &[9, 9]), Err(length(9, 8)));
    assert_eq!(encode(code, &[9, 9, 9], &[9, 10]), Err(length(9, 10)));
    assert_eq!(encode(code, &[0, 9, 9], &[9, 9]), Err(length(0, 9)));
    assert_eq!(count(2, 3).to_string(), "2 output fragments are needed, 3 were passed");
    assert_eq!(length(9, 8).to_string(), "fragments must all have 9 bytes, one has 8");
    let input_count = ShapeError::InputCount { expected: 3, actual: 2 };
    assert_eq!(input_count.to_string(), "3 input fragments are needed, 2 were passed");
}

#[test]
fn a_recovery_checks_its_fragments_too() {
    let recovery = code(2, 2).recovery(&[1, 3], &[0]).unwrap();
    let input = [0_u8; 4];
    let mut output = [0_u8; 4];
    assert_eq!(
        recovery.run(&[&input], &mut [&mut output]),
        Err(ShapeError::InputCount { expected: 2, actual: 1 })
    );
    assert_eq!(
        recovery.run(&[&input, &input], &mut []),
        Err(ShapeError::OutputCount { expected: 1, actual: 0 })
    );
    assert_eq!(
        recovery.run(&[&input, &input[..3]], &mut [&mut output]),
        Err(ShapeError::Length { expected: 4, actual: 3 })
    );
    assert_eq!(recovery.run(&[&input, &input], &mut [&mut output]), Ok(()));
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let code = code(3, 2);
    let refuse = |survivors: &[u8], wanted: &[u8]| code.recovery(survivors, wanted).unwrap_err();
    assert_eq!(refuse(&[0, 1], &[2]), RecoverError::SurvivorCount { expected: 3, actual: 2 });
    assert_eq!(refuse(&[0, 1, 2, 3], &[4]), RecoverError::SurvivorCount { expected: 3, actual: 4 });
    assert_eq!(refuse(&[0, 1, 5], &[2]), RecoverError::NoSuchFragment(5));
    assert_eq!(refuse(&[0, 1, 255], &[2]), RecoverError::NoSuchFragment(255));
    assert_eq!(refuse(&[0, 1, 3], &[5]), RecoverError::NoSuchFragment(5));
    assert_eq!(refuse(&[0, 1, 1], &[2]), RecoverError::Repeated(1));
    assert_eq!(refuse(&[0, 1, 3], &[2, 2]), RecoverError::Repeated(2));
    assert_eq!(refuse(&[0, 1, 3], &[3]), RecoverError::Repeated(3));
    assert_eq!(RecoverError::NoSuchFragment(5).to_string(), "the code has no fragment 5");
    assert_eq!(RecoverError::Repeated(1).to_string(), "fragment 1 was named twice");
    assert_eq!(
        RecoverError::SurvivorCount { expected: 3, actual: 2 }.to_string(),
        "3 surviving fragments are needed, 2 were named"
    );
}

#[test]
fn the_portable_kernel_is_always_there_and_the_last_resort() {
    let kernels: Vec<Kernel> = Kernel::available().collect();
    assert_eq!(kernels.last(), Some(&Kernel::PORTABLE));
    assert_eq!(kernels.first(), Some(&Kernel::best()));
    assert_eq!(Kernel::PORTABLE.name(), "portable");
}
