import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError, type Command } from "commander";
import { asFailure } from "#shared/errors.ts";
import type { EventRecord } from "../../store/store.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../options.ts";
import { renderEvent } from "../render/events.ts";

type Options = { readonly after?: number; readonly follow?: boolean; readonly json?: boolean };

/** Without --after. */
const shownAtOnce = 50;
/** A coordinator that was restarted is back soon; nothing is missed, as the journal keeps the events. */
const askAgainMs = 500;

export function addEventsCommand(program: Command, context: CliContext): void {
  withExamples(
    program
      .command("events")
      .description(`what has happened, oldest first; the last ${shownAtOnce} without --after`),
    "events --follow",
    "events --after 1234 --json",
  )
    .option("--after <number>", "those after this one; 0 for all that are kept", sequenceOption)
    .option("--follow", "go on with those that come, until Ctrl-C")
    .option("--json", "one JSON object a line")
    .action(async (options: Options) => {
      const last = await printKept(context, options);
      if (options.follow === true) await follow(context, options, last);
    });
}

/** Answers the last one's number. */
async function printKept(context: CliContext, options: Options): Promise<number> {
  const read = (query: string) => context.client().get<EventRecord[]>(`/events?${query}`);
  let last = options.after ?? 0;
  let page = await read(options.after === undefined ? `newest=${shownAtOnce}` : `after=${last}`);
  while (page.length > 0) {
    for (const event of page) print(context, options, event);
    last = page.at(-1)?.sequence ?? last;
    page = options.after === undefined ? [] : await read(`after=${last}`);
  }
  return last;
}

async function follow(context: CliContext, options: Options, after: number): Promise<void> {
  const { interrupted, terminal } = context;
  let last = after;
  let isAway = false;
  while (!interrupted.aborted) {
    try {
      const path = `/events/watch?after=${last}`;
      for await (const event of context.client().watch<EventRecord>(path, interrupted)) {
        isAway = false;
        last = event.sequence;
        print(context, options, event);
      }
    } catch (error) {
      const failure = asFailure(error);
      if (interrupted.aborted) return;
      if (failure.code !== "COORDINATOR_UNREACHABLE") throw failure;
      if (!isAway) terminal.printError([`${failure.message} Asks again.`]);
      isAway = true;
    }
    await sleep(askAgainMs, null, { signal: interrupted }).catch(() => null); // Ctrl-C: seen above
  }
}

function print({ terminal }: CliContext, { json }: Options, event: EventRecord): void {
  terminal.print([json === true ? JSON.stringify(event) : renderEvent(event)]);
}

function sequenceOption(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("the number of an event is wanted, or 0.");
}
