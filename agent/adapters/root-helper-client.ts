import { execa } from "execa";
import { createInterface } from "node:readline";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure, failures, type FailureCode } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type { ProgramResult, RootHelper, RootHelperSession } from "../ports.ts";
import type { ProgramRunner } from "./programs.ts";
import { createTail } from "./tail.ts";

export type RootHelperOptions = {
  /** settings.rootHelper: the words in front of the verb, e.g. sudo -n NODE castellan-root.js */
  readonly command: readonly string[] | null;
  readonly runner: ProgramRunner;
  readonly clock: Clock;
  readonly home: string;
};

/** Each question for its verbs is a sudo, which the site's log notes. */
const limits = { verbMs: 60_000, hungMs: 65_000, lookMs: 10_000, answerMs: 10_000, closeMs: 2_000, verbsKnownForMs: 600_000 }; // prettier-ignore
/** Part of each look at this host. */
const looks: ReadonlySet<string> = new Set(["verbs", "pool-status"]);

/** Calls `castellan-root VERB`. It takes no argument but the verb; input goes through stdin. */
export function createRootHelper({ command, runner, clock, home }: RootHelperOptions): RootHelper {
  let known: { readonly verbs: readonly string[]; readonly at: number } | null = null;

  const words = (): { readonly program: string; readonly args: readonly string[] } => {
    const [program, ...args] = command ?? [];
    if (program !== undefined) return { program, args };
    throw new Failure("REFUSED", "agent.yaml names no root helper on this host", {
      hint: "Install castellan-root with its sudoers line, then set rootHelper in agent.yaml.",
    });
  };

  /** Root's processes can't be ended by us: one that hangs goes on, and nobody begins another. */
  const underWay = new Map<string, Promise<ProgramResult>>();
  const begin = (verb: string, input?: string): Promise<ProgramResult> => {
    const { program, args } = words();
    const begun = underWay.get(verb);
    if (begun !== undefined) return begun;
    const ended = runner(program, [...args, verb], {
      timeoutMs: limits.verbMs,
      ...(input === undefined ? {} : { input }),
    }).finally(() => underWay.delete(verb));
    underWay.set(verb, ended);
    return ended;
  };

  const run = async (verb: string, input?: string): Promise<ProgramResult> => {
    const withinMs = looks.has(verb) ? limits.lookMs : limits.hungMs;
    const result = await withLimit(begin(verb, input), withinMs, `castellan-root ${verb} did not end`); // prettier-ignore
    // Done as root, and nothing of ours says so yet.
    crashPoint("root-helper:ended");
    if (result.exitCode === 0) return result;
    throw helperFailure(verb, result.exitCode, result.stderr);
  };

  const open = async (verb: string): Promise<RootHelperSession> => {
    const { program, args } = words();
    const stderr = createTail(20, 500);
    const child = execa(program, [...args, verb], {
      stdin: "pipe",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", HOME: home },
      extendEnv: false,
      cwd: "/",
      buffer: false,
      reject: false,
    });
    child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk.toString("utf8")));
    child.stdin.on("error", () => undefined); // the end of the helper is told by its exit
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const answer = async (): Promise<string> => {
      const next = await answers.next();
      if (next.done !== true) return next.value;
      const { exitCode } = await child;
      throw helperFailure(verb, exitCode ?? null, stderr.lines());
    };
    let last: Promise<unknown> = Promise.resolve();
    const ask = async (line: string): Promise<string> => {
      child.stdin.write(`${line}\n`);
      return withLimit(answer(), limits.answerMs, `castellan-root ${verb} gave no answer`);
    };
    return {
      // One question at a time: answers carry no number.
      ask: (line) => {
        const asked = last.then(() => ask(line));
        last = asked.catch(() => undefined);
        return asked;
      },
      [Symbol.asyncDispose]: async () => {
        // It ends when its stdin does. A helper run by sudo can't be signalled by us.
        child.stdin.end();
        await withLimit(child, limits.closeMs, "").catch(() => child.kill("SIGKILL"));
      },
    };
  };

  return {
    verbs: async (fresh = false) => {
      if (command === null) return [];
      if (!fresh && known !== null && clock.elapsedMs() - known.at < limits.verbsKnownForMs)
        return known.verbs;
      // A host without the sudoers line has no verbs; that is a fact, not a failure.
      const said = await run("verbs").then(
        (result) => result.stdout,
        () => "",
      );
      const verbs = said.split("\n").filter((line) => /^[a-z][a-z-]*$/.test(line));
      known = { verbs, at: clock.elapsedMs() };
      return verbs;
    },
    run,
    open,
  };
}

/** castellan-root says by its exit code what kind of trouble it is; sudo says so in words. */
function helperFailure(verb: string, exitCode: number | null, stderr: readonly string[]): Failure {
  // Behind its own line there may be a hint.
  const own = stderr.find((line) => line.startsWith("castellan-root: "));
  const said = own?.slice("castellan-root: ".length) ?? stderr.at(-1) ?? "it said nothing";
  if (stderr.some((line) => /^sudo: |not allowed to (run|execute)/.test(line))) {
    return new Failure(
      "REFUSED",
      `sudo does not let the agent run castellan-root ${verb}: ${said}`,
      {
        hint: "Install the sudoers line that `castellan-root` documents (/etc/sudoers.d/castellan).",
        evidence: stderr,
      },
    );
  }
  const code = (exitCode === null ? undefined : codes.get(exitCode)) ?? "PROGRAM_FAILED";
  return new Failure(code, `castellan-root ${verb} ended with ${exitCode ?? "a signal"}: ${said}`, {
    evidence: stderr,
  });
}

/** castellan-root exits as its failure says; of codes with the same exit status the first that fits it. */
const codes: ReadonlyMap<number, FailureCode> = new Map([
  [failures.CONFIG_INVALID.exitCode, "CONFIG_INVALID"],
  [failures.REFUSED.exitCode, "REFUSED"],
  [failures.RESOURCE_MISSING.exitCode, "RESOURCE_MISSING"],
]);

async function withLimit<T>(work: Promise<T>, limitMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Failure("STALLED", `${message} within ${limitMs} ms`, { retryable: true }));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
