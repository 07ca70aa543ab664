"""A sweep, as one of the processes that share its study sees it: trial after trial, then the results."""

import dataclasses
import pathlib

from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.store import load_dataset
from fer_ensemble.launch.plan import parse_folds
from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.sweep.study import claimed_trial, import_optuna, locked, open_study, trial_folder
from fer_ensemble.sweep.study_page import format_page
from fer_ensemble.sweep.sweep_options import OBJECTIVES
from fer_ensemble.sweep.trial import (
    Pruner,
    TrialFailed,
    TrialInterrupted,
    TrialPruned,
    choose_settings,
    forget_state,
    measure_trial,
    plan_trial,
    train_trial,
)
from fer_ensemble.sweep.trial_progress import Display
from fer_ensemble.sweep.trial_results import (
    BEST,
    ERROR,
    FAILED,
    find_best,
    format_results,
    list_results,
    write_best_flags,
    write_trials,
)

# So many of this process in a row, and it is not the values that are to blame.
FAILURES = 3


class Sweep:
    """A sweep of this process.

    Args:
        search: List of `NAME=KIND:VALUES`, see `fer_ensemble.sweep.search_ranges`.
        settings: The `TrainingSettings` that all trials share; its fold counts for nothing.
        options: `TrainingOptions`; its `experiments` is the place of the study if that is not named.
        sweep: `SweepOptions`.
        variations: Settings of some runs only, as `fer_ensemble.training.variations` describes them.

    Raises:
        UserError: If a flag cannot be, or the study was begun with others.
        ImportError: If Optuna is not installed.
    """

    def __init__(self, search, settings, options, sweep, variations=()):
        import_optuna()
        self._ranges = parse_search(search, settings)
        self._names = [one.name for one in self._ranges]
        self._folds = parse_folds(sweep.folds)
        self._settings, self._options, self._sweep, self._variations = settings, options, sweep, list(variations)
        choose_settings(settings, variations, {})  # refuses what cannot be read
        self._folder = pathlib.Path(sweep.study) if sweep.study else pathlib.Path(options.experiments) / "sweep"
        plan_trial(self._folder, settings, self._folds, options)  # refuses folds that do not exist
        _check_held_out(settings, self._folds, sweep)
        dataset = load_dataset(options.data, options.classes)  # converted now, not by each trial
        flags = dataclasses.asdict(settings) | {
            **{one.name: str(one) for one in self._ranges},
            "vary": "; ".join(variations),
            "objective": sweep.objective,
            "folds": sweep.folds,
            "classes": ",".join(dataset.class_names),
            "data": dataset.fingerprint[:12],
        }
        del flags["fold"]
        self._study = open_study(self._folder, flags, OBJECTIVES[sweep.objective][2], sweep.prune != "none")

    def run(self):
        """Works on trials until there are as many as there are to be, and writes the results.

        Raises:
            UserError: If no trial is complete, or this process's trials fail one after another.
            fer_ensemble.base.stop_signals.Stopped: After a stop signal; its `where` tells where the study stands.
        """
        failures = 0
        try:
            # A signal must not come between Optuna's journal and ours; while members train, `run_jobs` notes it.
            with stop_signals.deferred(), Display(self._sweep.trials, self._sweep.objective) as display:
                while failures < FAILURES:
                    stop_signals.check()
                    with claimed_trial(self._study, self._folder, self._sweep.trials, self._ranges) as trial:
                        if trial is None:
                            break
                        place = trial_folder(self._folder, trial.number)
                        display.begin(trial, place, list_results(self._study, self._folder))
                        self._work_on(trial, place, display)
                    results = self._write_results()
                    display.end(results[trial.number], results)
                    failures = failures + 1 if results[trial.number].state == FAILED else 0
        except stop_signals.Stopped as stopped:
            ended = sum(one.ended for one in list_results(self._study, self._folder))
            stopped.where = (
                f"{self._folder} has {ended} of {self._sweep.trials} trials; the same command goes on from there"
            )
            raise
        self._conclude(failures)

    def _work_on(self, trial, place, display):
        from optuna.trial import TrialState

        def tell(**outcome):
            self._study.tell(trial, **outcome, skip_if_finished=True)

        try:
            settings = choose_settings(self._settings, self._variations, trial.params)
            members, options = plan_trial(place, settings, self._folds, self._options)
            show = display.watch(members)
            prune = Pruner(trial, members[0], self._sweep.objective) if self._sweep.prune != "none" else None

            def watch(runs):
                stop_signals.check()  # one that came before `run_jobs` noted them
                show(runs)
                if prune:
                    prune(runs)

            train_trial(members, options, watch)
            value = measure_trial(members, self._sweep.objective)
        except TrialInterrupted:
            return
        except TrialPruned:
            tell(state=TrialState.PRUNED)
            forget_state(members)
        except (TrialFailed, ValueError) as error:
            trial.set_user_attr(ERROR, " ".join(str(error).split()))
            tell(state=TrialState.FAIL)
        else:
            tell(values=value)

    def _write_results(self):
        """Writes `trials.csv` and `best.flags`, and returns the `Result` of every trial."""
        with locked(self._folder):  # what two processes write is in the order of what they read
            results = list_results(self._study, self._folder)
            write_trials(self._folder / "trials.csv", results, self._sweep.objective, self._names)
            best = find_best(results, self._sweep.objective)
            if best:
                fold = self._sweep.folds.split(",")[0]
                settings = choose_settings(self._settings, self._variations, best.params)
                facts = (best, settings, self._options, fold, self._sweep.objective, len(results))
                write_best_flags(self._folder / BEST, *facts)
        return results

    def _conclude(self, failures):
        results = self._write_results()
        best = find_best(results, self._sweep.objective)
        print(format_results(results, self._sweep.objective, self._names))
        others = [one.number for one in results if not one.ended]
        if others:
            print(f"other processes are still at work on trial {', '.join(map(str, others))}")
        if best:
            with locked(self._folder):
                page = format_page(self._study, results, self._sweep.objective, self._ranges, self._settings)
                write_text(self._folder / "report.html", page)
            print(f"written to {self._folder}: report.html, trials.csv, {BEST}")
        last = next((one.error for one in reversed(results) if one.error), "")
        if failures == FAILURES:
            raise UserError(f"{FAILURES} trials failed one after another, the last of them because: {last}")
        if not best and not others:
            raise UserError(f"None of the {len(results)} trials is complete. The last error was: {last}")


def _check_held_out(settings, folds, sweep):
    if None in folds and not settings.holdout and (sweep.objective != "public_accuracy" or sweep.prune != "none"):
        raise UserError(
            f"--objective={sweep.objective} with --prune={sweep.prune} takes held-out images. Received: "
            f"--folds={sweep.folds}. Give --holdout=0.2, too, or --objective=public_accuracy --prune=none."
        )
    if sweep.prune != "none" and not settings.validate_every:
        raise UserError(
            f"--prune={sweep.prune} takes looks at the held-out images between the epochs: give "
            "--validate_every=1, or --prune=none."
        )
