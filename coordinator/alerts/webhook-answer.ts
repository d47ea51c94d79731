import { Failure } from "#shared/errors.ts";
import type { Told } from "./sink.ts";

export type HttpAnswer = {
  readonly status: number;
  /** The beginning of it, scrubbed. */
  readonly body: string;
  /** Scheme, host and port of a redirect. */
  readonly movedTo: string | null;
};

/**
 * Did it take the alert? A robot answers 200 and says in the body that it did not.
 * @throws Failure SINK_REFUSED
 */
export function judgeAnswer(place: string, template: string, answer: HttpAnswer): Told {
  const { status, body } = answer;
  const told = { status: `HTTP ${status}`, answer: body };
  const refused = (message: string, retryable: boolean, hint?: string): Failure =>
    new Failure("SINK_REFUSED", `${place} ${message}`, {
      retryable,
      evidence: body === "" ? [] : body.split("\n").slice(0, 20),
      ...(hint === undefined ? {} : { hint }),
    });
  if (status >= 300 && status < 400) {
    const where = answer.movedTo === null ? "" : ` to ${answer.movedTo}`;
    throw refused(`redirects${where} (status ${status}); redirects are not followed.`, true, "name the place itself as the sink's url"); // prettier-ignore
  }
  // What is about this one alert is not tried for ever; all else is about the sink.
  if (status < 200 || status > 299) {
    throw refused(`answered with status ${status}.`, !contentStatuses.has(status));
  }
  const robot = robots[template];
  if (robot === undefined) return told;
  const code = robot.codeOf(body);
  if (code === 0) return told;
  if (code === null) throw refused("did not answer as such a robot does.", true);
  throw refused(`did not take it: code ${code}.`, robot.aboutItself.includes(code));
}

const contentStatuses = new Set([400, 406, 409, 411, 412, 413, 414, 415, 416, 417, 422]);

type Robot = {
  readonly codeOf: (body: string) => number | null;
  /** It is asked too often, is busy, or the robot, its keyword or signature is wrong: no alert's own fault. */
  readonly aboutItself: readonly number[];
};

/** Their docs' lists of error codes. */
const robots: Readonly<Record<string, Robot>> = {
  dingtalk: { codeOf: (body) => numberIn(body, ["errcode"]), aboutItself: [-1, 130101, 300001, 300005, 310000] }, // prettier-ignore
  wecom: { codeOf: (body) => numberIn(body, ["errcode"]), aboutItself: [-1, 45009, 93000] },
  feishu: { codeOf: (body) => numberIn(body, ["code", "StatusCode"]), aboutItself: [11232, 19001, 19021, 19022, 19024] }, // prettier-ignore
};

function numberIn(body: string, names: readonly string[]): number | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const found = names.map((name): unknown => Reflect.get(value, name));
  return found.find((code) => typeof code === "number") ?? null;
}
