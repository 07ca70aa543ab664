"""A sweep, as one of the processes that share its study sees it: Optuna's loop over trials, then the results."""

import dataclasses
import pathlib
from collections.abc import Sequence

import optuna

from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.fold_names import fold_name
from fer_ensemble.data.store import load_dataset
from fer_ensemble.launch.plan import parse_folds
from fer_ensemble.report.csv_tables import write_frame
from fer_ensemble.sweep.best_flags import BEST_FLAGS, write_best_flags
from fer_ensemble.sweep.search_ranges import parse_search
from fer_ensemble.sweep.shared_study import NoTrialLeft, locked, open_study, trial_folder
from fer_ensemble.sweep.study_page import format_page
from fer_ensemble.sweep.sweep_options import OBJECTIVES, SweepOptions
from fer_ensemble.sweep.trial import (
    ERROR,
    Pruner,
    TrialFailed,
    TrialInterrupted,
    choose_settings,
    forget_state,
    measure_trial,
    plan_trial,
    train_trial,
)
from fer_ensemble.sweep.trial_display import TrialDisplay
from fer_ensemble.sweep.trial_table import find_best, flag_value, format_trials, tabulate_trials
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

# So many of this process in a row, and it is not the values that are to blame.
FAILURES = 3


class Sweep:
    """A sweep of this process.

    Args:
        search: List of `NAME=KIND:VALUES`, see `fer_ensemble.sweep.search_ranges`.
        settings: What all trials share; its fold counts for nothing.
        options: Its `experiments` holds the study if that is not named.
        sweep: What is looked for, and how long.
        variations: Settings of some runs only, as `fer_ensemble.training.variations` describes them.

    Raises:
        UserError: If a flag cannot be, or the study was begun with others.
    """

    def __init__(
        self,
        search: Sequence[str],
        settings: TrainingSettings,
        options: TrainingOptions,
        sweep: SweepOptions,
        variations: Sequence[str] = (),
    ):
        self._ranges = parse_search(search, settings)
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
        maximize = OBJECTIVES[sweep.objective].maximize
        self._study = open_study(self._folder, flags, maximize, sweep.prune != "none", sweep.trials, self._ranges)
        self._display = TrialDisplay(self._study, sweep.objective)
        self._failures = 0

    def run(self) -> None:
        """Works on trials until there are as many as there are to be, and writes the results.

        Raises:
            UserError: If no trial is complete, or this process's trials fail one after another.
            OSError: If the disk is full, or so: the same command goes on when it is not.
            fer_ensemble.base.stop_signals.Stopped: After a stop signal; its `where` tells where the study stands.
        """
        try:
            # A signal must not come between Optuna's journal and ours; while members train, `run_jobs` sees to it.
            with stop_signals.deferred(), self._display:
                self._optimize()
        except stop_signals.Stopped as stopped:
            ended = sum(one.state.is_finished() for one in self._study.get_trials(deepcopy=False))
            stopped.where = (
                f"{self._folder} has {ended} of {self._sweep.trials} trials; the same command goes on from there"
            )
            raise
        finally:
            self._study.let_go()
        self._conclude()

    def _optimize(self):
        while self._failures < FAILURES:
            try:
                self._study.optimize(self._work_on, catch=(TrialFailed, UserError), callbacks=[self._end])
            except NoTrialLeft:
                return
            except TrialInterrupted as interrupted:
                self._study.let_go()
                if interrupted.error:
                    raise interrupted.error from None
                self._end(self._study, self._study.trials[self._number])

    def _work_on(self, trial: optuna.Trial) -> float:
        self._number = trial.number
        self._display.begin(trial)
        try:
            settings = choose_settings(self._settings, self._variations, trial.params)
            folder = trial_folder(self._folder, trial.number)
            members, options = plan_trial(folder, settings, self._folds, self._options)
            prune = Pruner(trial, members[0], self._sweep.objective)
            # A signal that came before `run_jobs` noted them is not forgotten.
            train_trial(members, options, [lambda runs: stop_signals.check(), self._display.watch(members), prune])
            return measure_trial(members, self._sweep.objective)
        except optuna.TrialPruned:
            forget_state(members)
            raise
        except OSError as error:  # Optuna would take it for the trial's
            raise TrialInterrupted(error) from error
        except (TrialFailed, UserError) as error:
            trial.set_user_attr(ERROR, " ".join(str(error).split()))
            raise

    def _end(self, study, trial):
        self._write_results()
        self._display.end(trial)
        self._failures = self._failures + 1 if trial.state == optuna.trial.TrialState.FAIL else 0
        if self._failures == FAILURES:
            study.stop()
        stop_signals.check()

    def _write_results(self):
        """Writes `trials.csv` and, if a trial is complete, `best.flags`; returns the table of the trials."""
        with locked(self._folder):  # what two processes write is in the order of what they read
            table = tabulate_trials(self._study, self._sweep.objective)
            write_frame(self._folder / "trials.csv", table.map(flag_value))
            best = find_best(self._study)
            if best:
                settings = choose_settings(self._settings, self._variations, best.params)
                fold = fold_name(self._folds[0])
                write_best_flags(self._folder / BEST_FLAGS, best, settings, self._options, fold)
        return table

    def _conclude(self):
        table, objective = self._write_results(), self._sweep.objective
        print(format_trials(table, objective))
        trials = self._study.trials
        others = [one.number for one in trials if not one.state.is_finished()]
        if others:
            print(f"other processes are still at work on trial {', '.join(map(str, others))}")
        best = find_best(self._study)
        if best:
            with locked(self._folder):
                page = format_page(self._study, table, objective, self._ranges, self._settings)
                write_text(self._folder / "report.html", page)
            print(f"written to {self._folder}: report.html, trials.csv, {BEST_FLAGS}")
        last = next((one.user_attrs[ERROR] for one in reversed(trials) if ERROR in one.user_attrs), "")
        if self._failures == FAILURES:
            raise UserError(f"{FAILURES} trials failed one after another, the last of them because: {last}")
        if not best and not others:
            raise UserError(f"None of the {len(trials)} trials is complete. The last error was: {last}")


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
