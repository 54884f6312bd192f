//! The examples in `docs/SIMULATION.md` are what they say: a Job that Kubernetes takes, and a workflow that
//! GitHub Actions takes. Their commands run, and their parts share no seed and leave none out.
#![cfg(feature = "cli")]

use github_actions_models::common::expr::LoE;
use github_actions_models::workflow::job::{Matrix, NormalJob, RunStep, Step};
use github_actions_models::workflow::{self, Workflow};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::Container;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;
use yaml_serde::{Value, from_value};

const DOCUMENT: &str = include_str!("../../docs/SIMULATION.md");
const PROGRAM: &str = env!("CARGO_BIN_EXE_dynamicfs-sim");

/// Seeds of each part here.
const SEEDS: u64 = 3;

/// The document's YAML block that has this line.
fn example(line: &str) -> Value {
    let blocks = DOCUMENT.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest));
    let found: Vec<_> = blocks.filter(|block| block.lines().any(|found| found == line)).collect();
    assert_eq!(found.len(), 1, "one example with {line:?}");
    yaml_serde::from_str(found[0]).unwrap_or_else(|error| panic!("{line}: {error}"))
}

// --- what is said is understood -------------------------------------------------------------------------------

/// Paths to all keys of a document's mappings.
fn keys(value: &Value, path: &mut Vec<Value>, found: &mut Vec<Vec<Value>>) {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                path.push(key.clone());
                found.push(path.clone());
                keys(value, path, found);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.into());
                keys(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The document with nonsense for the value at this path.
fn with_nonsense(document: &Value, path: &[Value]) -> Value {
    let mut document = document.clone();
    let at = path.iter().fold(&mut document, |at, key| match at {
        Value::Mapping(entries) => entries.get_mut(key).expect("a path to what is there"),
        Value::Sequence(items) => &mut items[key.as_u64().expect("an index") as usize],
        other => panic!("{other:?} holds nothing"),
    });
    *at = "nonsense".into();
    document
}

/// Reads a document as a `T`. An error names what is wrong, or the first entry that a `T` has no use for. Any
/// other value of that entry would give the same result.
fn read<T: serde::de::DeserializeOwned + Debug>(document: &Value) -> Result<T, String> {
    let whole: T = from_value(document.clone()).map_err(|error| error.to_string())?;
    let mut paths = Vec::new();
    keys(document, &mut Vec::new(), &mut paths);
    for path in paths {
        let other: Result<T, _> = from_value(with_nonsense(document, &path));
        if other.is_ok_and(|other| format!("{other:?}") == format!("{whole:?}")) {
            return Err(format!("nobody knows {path:?}"));
        }
    }
    Ok(whole)
}

/// The document with one text put for another.
fn changed(document: &Value, from: &str, to: &str) -> Value {
    let text = yaml_serde::to_string(document).expect("a document");
    assert!(text.contains(from), "{from:?} in {text}");
    yaml_serde::from_str(&text.replacen(from, to, 1)).expect("still YAML")
}

// --- and does what it says ------------------------------------------------------------------------------------

/// Runs an example's command as its shell would; the program is where the example expects it.
fn run(shell: &[String], directory: &Path, variables: &BTreeMap<String, String>) {
    let path = format!("{}:{}", directory.join("target/campaign").display(), std::env::var("PATH").unwrap());
    let output = Command::new(&shell[0])
        .args(&shell[1..])
        .current_dir(directory)
        .env("PATH", path)
        .envs(variables)
        .output()
        .unwrap_or_else(|error| panic!("{shell:?}: {error}"));
    assert!(output.status.success(), "{shell:?}: {output:?}");
}

/// A folder with the program where a build puts it.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a folder");
    let built = directory.path().join("target/campaign");
    std::fs::create_dir_all(&built).expect("a folder in it");
    std::fs::copy(PROGRAM, built.join("dynamicfs-sim")).expect("a copy of the program");
    directory
}

/// A report says that these seeds were run and nothing failed.
fn expect(report: &Path, first: u64, end: u64) {
    let text =
        std::fs::read_to_string(report).unwrap_or_else(|error| panic!("{}: {error}", report.display()));
    let report: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(report["ranges"], serde_json::json!([format!("{first}..{end}")]));
    assert_eq!(report["seeds"], end - first);
    assert_eq!(report["failures"], serde_json::json!([]));
}

/// The program joins the reports of all parts.
fn expect_joined(directory: &Path, parts: u64) {
    let files: Vec<_> = (0..parts).map(|part| directory.join(format!("{part}.json"))).collect();
    let output = Command::new(PROGRAM).args(["merge", "--json"]).args(files).output().expect("it runs");
    let joined: Json = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(joined["seeds"], parts * SEEDS);
    assert_eq!(joined["ranges"].as_array().map(Vec::len), Some(parts as usize));
}

#[test]
fn the_job_is_one_that_kubernetes_takes() {
    let document = example("kind: Job");
    assert!(document.get("apiVersion").is_some() && document.get("kind").is_some());
    let job: Job = read(&document).unwrap_or_else(|error| panic!("{error}"));
    for (from, to) in [
        ("completions: 100", "completion: 100"),
        ("completions: 100", "completions: many"),
        ("mountPath:", "mountpath:"),
        ("claimName:", "claim:"),
        ("kind: Job", "kind: Pod"),
        ("batch/v1", "batch/v2"),
    ] {
        assert!(read::<Job>(&changed(&document, from, to)).is_err(), "{to:?} is noticed");
    }
    let JobSpec { completions, parallelism, completion_mode, template, .. } = job.spec.expect("a spec");
    assert_eq!(completion_mode.as_deref(), Some("Indexed"));
    assert!(parallelism.expect("a number") <= completions.expect("an indexed job has as many parts"));
    let pod = template.spec.expect("a pod");
    assert!(matches!(pod.restart_policy.as_deref(), Some("Never" | "OnFailure")), "what a job allows");
    let volumes: Vec<_> = pod.volumes.iter().flatten().map(|volume| &volume.name).collect();
    let [container] = &pod.containers[..] else { panic!("one container: {:?}", pod.containers) };
    let mounts: Vec<_> = container.volume_mounts.iter().flatten().collect();
    assert!(mounts.iter().all(|mount| volumes.contains(&&mount.name)), "what is mounted is there");
    let reports = variables(container).remove("REPORTS").expect("a place for reports");
    assert!(mounts.iter().any(|mount| mount.mount_path == reports), "reports outlive the pod");
}

fn variables(container: &Container) -> BTreeMap<String, String> {
    let named = container.env.iter().flatten();
    named.map(|var| (var.name.clone(), var.value.clone().expect("a value"))).collect()
}

#[test]
fn the_jobs_command_runs_its_part_of_the_seeds() {
    let job: Job = from_value(example("kind: Job")).expect("a job");
    let pod = job.spec.and_then(|spec| spec.template.spec).expect("a pod");
    let container = &pod.containers[0];
    let shell: Vec<_> = container.command.iter().chain(&container.args).flatten().cloned().collect();
    let directory = directory();
    for part in 0..2 {
        let mut variables = variables(container);
        let seeds = variables.insert("SEEDS".into(), SEEDS.to_string()).expect("how many seeds a part has");
        assert!(seeds.parse::<u64>().expect("a number") > 0);
        variables.insert("REPORTS".into(), directory.path().display().to_string());
        // What Kubernetes sets in an indexed job.
        variables.insert("JOB_COMPLETION_INDEX".into(), part.to_string());
        run(&shell, directory.path(), &variables);
        expect(&directory.path().join(format!("{part}.json")), part * SEEDS, (part + 1) * SEEDS);
    }
    expect_joined(directory.path(), 2);
}

fn campaign(workflow: &Workflow) -> &NormalJob {
    match &workflow.jobs["campaign"] {
        workflow::Job::NormalJob(job) => job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_workflow_is_one_that_github_takes() {
    let document = example("name: simulation");
    let workflow: Workflow = read(&document).unwrap_or_else(|error| panic!("{error}"));
    for (from, to) in [
        ("runs-on:", "run-on:"),
        ("fail-fast: false", "fail-faster: false"),
        ("matrix:", "matrices:"),
        ("schedule:", "schedules:"),
        ("uses: actions", "use: actions"),
        ("if: always", "when: always"),
        ("SEEDS: 100000", "SEEDS: [100000]"),
    ] {
        assert!(read::<Workflow>(&changed(&document, from, to)).is_err(), "{to:?} is noticed");
    }
    // What is built is what is run.
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains("[profile.campaign]"));
    let lines = commands(campaign(&workflow));
    assert!(lines[0].contains("cargo build --profile campaign -p dynamicfs-sim"), "{lines:?}");
    assert!(lines[1].contains("target/campaign/dynamicfs-sim"), "{lines:?}");
}

/// What the job's steps run in a shell.
fn commands(job: &NormalJob) -> Vec<&str> {
    let runs = job.steps.iter().filter_map(|step| match step {
        Step::Run(RunStep { run, .. }) => Some(run.as_str()),
        _ => None,
    });
    runs.collect()
}

/// The parts that the workflow's matrix has.
fn parts(job: &NormalJob) -> Vec<u64> {
    let matrix = job.strategy.as_ref().and_then(|strategy| strategy.matrix.as_ref()).expect("a matrix");
    let LoE::Literal(Matrix { dimensions: LoE::Literal(dimensions), .. }) = matrix else {
        panic!("{matrix:?}")
    };
    let LoE::Literal(parts) = &dimensions["part"] else { panic!("{dimensions:?}") };
    parts.iter().map(|part| part.as_u64().expect("a number")).collect()
}

#[test]
fn the_workflows_command_runs_its_part_of_the_seeds() {
    let workflow: Workflow = from_value(example("name: simulation")).expect("a workflow");
    let job = campaign(&workflow);
    let parts = parts(job);
    assert!(parts.iter().copied().eq(0..parts.len() as u64), "every part is run once: {parts:?}");
    let LoE::Literal(env) = &job.env else { panic!("{:?}", job.env) };
    let directory = directory();
    // How GitHub runs a step, and what it sets.
    let shell = ["bash", "-e", "-c", commands(job)[1]].map(String::from);
    let number = 5;
    for &part in &parts[..2] {
        let evaluate = |value: String| match value.as_str() {
            "${{ matrix.part }}" => part.to_string(),
            "${{ strategy.job-total }}" => parts.len().to_string(),
            _ => value,
        };
        let mut variables: BTreeMap<_, _> =
            env.iter().map(|(name, value)| (name.clone(), evaluate(value.to_string()))).collect();
        let seeds = variables.insert("SEEDS".into(), SEEDS.to_string()).expect("how many seeds a part has");
        assert!(seeds.parse::<u64>().expect("a number") > 0);
        variables.insert("GITHUB_RUN_NUMBER".into(), number.to_string());
        run(&shell, directory.path(), &variables);
        let first = (number * parts.len() as u64 + part) * SEEDS;
        expect(&directory.path().join(format!("{part}.json")), first, first + SEEDS);
    }
    expect_joined(directory.path(), 2);
}
