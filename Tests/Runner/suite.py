"""Chooses scenarios and manifests, runs the jobs two at a time, prints one line for each."""
import argparse
import concurrent.futures
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import places
import scenario as scenarios
from job import NATIVE, NO_SITE

PARALLEL = 2


def arguments():
    parser = argparse.ArgumentParser(prog="Tests/run", description="Runs the scenarios of Tests/Scenarios.")
    parser.add_argument("set", nargs="?", choices=["sample", "all"], default="sample",
                        help="sample: each scenario once, on a seeded choice of manifest; all: each on every manifest")
    parser.add_argument("--manifest", action="append", metavar="M", help="only on this manifest (repeatable)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this scenario (repeatable)")
    parser.add_argument("--seed", type=int, help="seed of the sample")
    parser.add_argument("--native", action="store_true", help="run the scenarios on the bare host: tests the tests")
    parser.add_argument("--list", action="store_true", help="print the scenarios and stop")
    return parser.parse_args()


def build_programs():
    """The guest programs, the subsystems, and the applets as links, so that scripts use no program but busybox."""
    subprocess.run(["make", "-s", "-C", str(places.TESTS / "Programs"), f"OUT={places.PROGRAMS}"], check=True)
    subprocess.run(["make", "-s", "-C", str(places.TESTS / "Subsystems"), f"TREE={places.BUILD}"], check=True)
    places.APPLETS.mkdir(parents=True, exist_ok=True)
    for applet in subprocess.run([places.BUSYBOX, "--list"], check=True, capture_output=True,
                                 text=True).stdout.split():
        link = places.APPLETS / applet
        if not link.is_symlink():
            link.symlink_to(places.BUSYBOX)


def plan(options, chosen, seed):
    """The (scenario, variant, manifest) jobs to run, and the lines about what is not run."""
    if options.native:
        jobs = [(scenario, variant, NATIVE) for scenario in chosen if scenario.runs_natively()
                for variant in scenario.variants]
        notes = [f"not native: {scenario.name} (only means something on a site)"
                 for scenario in chosen if not scenario.runs_natively()]
        if os.geteuid() != 0:
            notes += [f"not native: {scenario.name} (needs root on the host)"
                      for scenario in chosen if "root" in scenario.needs]
            jobs = [job for job in jobs if "root" not in job[0].needs]
        return jobs, notes
    chance = random.Random(seed)
    jobs = []
    for scenario in chosen:
        manifests = options.manifest or places.ALL_MANIFESTS
        if scenario.manifests == "none":
            manifests = [NO_SITE]
        elif options.set == "sample":
            manifests = [chance.choice(manifests)]
        variants = [chance.choice(scenario.variants)] if options.set == "sample" else scenario.variants
        jobs += [(scenario, variant, manifest) for variant in variants for manifest in manifests]
    return jobs, []


def run_job(scenario, variant, manifest, chosen_set):
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "job.py"), scenario.name, variant, manifest],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=dict(os.environ, CHORUS_SCRATCH=str(places.SCRATCH), SITE_SET=chosen_set))
    try:  # twice the limit, since a native run may follow, and the time to look for leftovers
        output, errors = process.communicate(timeout=scenario.limit * 2 + 60)
        return json.loads(output.splitlines()[-1])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"problems": ["runner: the job itself did not end"], "seconds": scenario.limit}
    except (IndexError, ValueError):
        return {"problems": ["runner: no result", output, errors], "seconds": 0.0}


def main():
    options = arguments()
    try:
        chosen = scenarios.load_all()
    except scenarios.BadScenario as error:
        print(error, file=sys.stderr)
        return 2
    if options.only:
        unknown = set(options.only) - {scenario.name for scenario in chosen}
        if unknown:
            print(f"Tests/run: no scenario {sorted(unknown)[0]}", file=sys.stderr)
            return 2
        chosen = [scenario for scenario in chosen if scenario.name in options.only]
    if options.list:
        for scenario in chosen:
            print(f"{scenario.name:24} {scenario.about}")
        return 0
    if not options.native and not places.CHORUS.exists():
        print(f"Tests/run: {places.CHORUS} is not there; run `make build` first", file=sys.stderr)
        return 2
    absent = {scenario.name: missing for scenario in chosen if (missing := scenario.missing())}
    chosen = [scenario for scenario in chosen if scenario.name not in absent]
    build_programs()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    if options.set == "sample" and not options.native:
        print(f"seed {seed}")
    jobs, notes = plan(options, chosen, seed)
    for note in notes:
        print(note)
    # A missing program costs a line; where everything of Tools/setup should be installed, it is a failure.
    passed = failed = 0
    for name, missing in absent.items():
        fails = os.environ.get("CI") == "true"
        failed += fails
        print(f"{'FAIL' if fails else 'none'} {name:28} not installed: {', '.join(missing)} (see Tools/setup)")
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        futures = {pool.submit(run_job, *job, options.set): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            scenario, variant, manifest = futures[future]
            name = scenario.name + (f" ({variant})" if variant else "")
            result = future.result()
            good = not result["problems"]
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok  ' if good else 'FAIL'} {name:28} {manifest:10} {result['seconds']:7.2f} s", flush=True)
            for line in result.get("notes", []) + result["problems"]:
                print(f"     {line}", flush=True)
    if not os.environ.get("CHORUS_KEEP"):
        shutil.rmtree(places.SCRATCH, ignore_errors=True)
    print(f"{time.monotonic() - started:.1f} s in all")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0
