import { expect, test } from "vitest";
import { scrub } from "#coordinator/alerts/scrub.ts";
import { judgeAnswer } from "#coordinator/alerts/webhook-answer.ts";

const judge = (template: string, status: number, body = "", movedTo: string | null = null) =>
  judgeAnswer("https://place", template, { status, body, movedTo });

test.each([
  ["json", 200, "whatever"],
  ["alertmanager", 200, ""],
  ["/own/template", 204, ""],
  ["dingtalk", 200, '{"errcode":0,"errmsg":"ok"}'],
  ["wecom", 200, '{"errcode":0,"errmsg":"ok"}'],
  ["feishu", 200, '{"code":0,"msg":"success","data":{}}'],
  ["feishu", 200, '{"StatusCode":0,"StatusMessage":"success"}'],
])("%s has taken it with status %i and %j", (template, status, body) => {
  expect(judge(template, status, body)).toEqual({ status: `HTTP ${status}`, answer: body });
});

test.each([
  ["json", 400, "bad field", /status 400/, false],
  ["json", 413, "", /status 413/, false],
  ["json", 401, "", /status 401/, true],
  ["json", 404, "", /status 404/, true],
  ["json", 429, "", /status 429/, true],
  ["json", 500, "", /status 500/, true],
  ["dingtalk", 200, '{"errcode":460101,"errmsg":"message too long"}', /code 460101/, false],
  ["dingtalk", 200, '{"errcode":310000,"errmsg":"sign not match"}', /code 310000/, true],
  ["dingtalk", 200, '{"errcode":130101,"errmsg":"send too fast"}', /code 130101/, true],
  ["wecom", 200, '{"errcode":45009,"errmsg":"api freq out of limit"}', /code 45009/, true],
  ["wecom", 200, '{"errcode":93000,"errmsg":"invalid webhook url"}', /code 93000/, true],
  ["feishu", 200, '{"code":9499,"msg":"Bad Request","data":{}}', /code 9499/, false],
  ["feishu", 200, '{"code":19021,"msg":"sign match fail"}', /code 19021/, true],
  ["feishu", 200, "<html>log in</html>", /did not answer as such a robot does/, true],
])("%s has not taken it with status %i and %j", (template, status, body, message, retryable) => {
  expect(() => judge(template, status, body)).toThrow(
    expect.objectContaining({
      code: "SINK_REFUSED",
      message: expect.stringMatching(message),
      retryable,
      evidence: body === "" ? [] : [body],
    }),
  );
});

test("a redirect is refused, with the place that it names", () => {
  expect(() => judge("json", 302, "", "https://other")).toThrow(/redirects to https:\/\/other .*not followed/); // prettier-ignore
});

test("an answer that repeats what it was asked with is shown without it", () => {
  const url = new URL(
    "https://place/open-apis/hook/0a1b2c3d-4e5f?access_token=tok%2Fen123&sign=x9y8",
  );
  const answer = `Cannot POST ${url.pathname}${url.search}: hook 0a1b2c3d-4e5f, token tok/en123, tok\\/en123 or tok%2Fen123, hunter2`; // prettier-ignore
  const shown = scrub(answer, url, "hunter2");
  expect(shown).not.toMatch(/0a1b2c3d|tok\W|x9y8|hunter2/);
  expect(shown).toContain("Cannot POST [secret]: hook [secret], ");
});
