import { createTask, parse } from "node-cron";

/** A pattern's next match after a time that is not far from now, both ms since the epoch. */
type NextMatch = (afterMs: number) => number;

/**
 * node-cron tells what a pattern means and, for days like `L` or `1#2`, when that is. To all others its times of day come
 * by way of Intl, which keeps 9 MB of tables in memory from the first question on.
 */
export function nextMatchOf(pattern: string): NextMatch {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = parse(pattern);
  if (![...dayOfMonth, ...dayOfWeek].every((day) => typeof day === "number")) {
    const task = createTask(pattern, () => undefined);
    return (afterMs) => {
      const runs = task.getNextRuns(2).map((at) => at.getTime());
      return runs.find((at) => at > afterMs) ?? Number.POSITIVE_INFINITY;
    };
  }
  const isDay = (at: Date): boolean =>
    dayOfMonth.includes(at.getDate()) && dayOfWeek.includes(at.getDay());
  return (afterMs) => {
    let at = new Date(Math.floor(afterMs / 1_000) * 1_000 + 1_000);
    // It comes: a day that no month has is no pattern, and 29 February falls on each weekday.
    for (;;) {
      if (!month.includes(at.getMonth() + 1)) at = new Date(at.getFullYear(), at.getMonth() + 1);
      else if (!isDay(at)) at = new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1);
      else if (!hour.includes(at.getHours()))
        at = later(at, (60 - at.getMinutes()) * 60 - at.getSeconds());
      else if (!minute.includes(at.getMinutes())) at = later(at, 60 - at.getSeconds());
      else if (!second.includes(at.getSeconds())) at = later(at, 1);
      else return at.getTime();
    }
  };
}

/** Of time that passes: the hour that is there twice in autumn has its matches twice. */
function later(at: Date, seconds: number): Date {
  return new Date(at.getTime() + seconds * 1_000);
}
