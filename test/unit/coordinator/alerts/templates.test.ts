import { describe, expect, test } from "vitest";
import { renderForAlertmanager } from "#coordinator/alerts/templates/alertmanager.ts";
import { renderFileTemplate } from "#coordinator/alerts/templates/file-template.ts";
import { renderForDingtalk, renderForFeishu, renderForWecom, renderJson } from "#coordinator/alerts/templates/robots.ts"; // prettier-ignore
import { testMessage } from "#coordinator/alerts/alert-message.ts";
import { someMessage } from "./some-change.ts";

const parsed = ({ body }: { readonly body: string }): unknown => JSON.parse(body);

test("the plain body is the alert as the command line shows it, with the id of the event", () => {
  const message = someMessage();
  expect(parsed(renderJson(message))).toEqual({
    version: 1,
    id: message.change.eventId,
    event: "opened",
    at: message.change.changedAt,
    test: false,
    alert: message.change.alert,
  });
});

describe("Alertmanager", () => {
  test("takes what stands until it is not heard of for ten minutes", () => {
    expect(parsed(renderForAlertmanager([someMessage()]))).toEqual([
      {
        labels: {
          alertname: "castellan-file",
          service: "castellan",
          cause: "node:srv127:file:/data/kingbase.conf",
          severity: "critical",
          node: "srv127",
        },
        annotations: {
          summary: "/data/kingbase.conf differs from its accepted content",
          description: "@@ -12 +12 @@\n-port = 54321\n+port = 54322\n",
          fix: "castellan drift show srv127 /data/kingbase.conf",
          who: "uid 1001 (kingbase)",
          file: "/data/kingbase.conf",
          line: "12",
          state: "open",
          alert: "3",
          event: someMessage().change.eventId,
        },
        startsAt: "2026-11-22T07:11:29.000Z",
        endsAt: "2026-11-22T07:21:29.500Z",
      },
    ]);
  });

  test("hears the end under the same labels", () => {
    const [open, over] = [
      someMessage(),
      someMessage({ state: "resolved", file: null }, { kind: "resolved", changedAt: someMessage().now + 60_000 }), // prettier-ignore
    ].map((message) => parsed(renderForAlertmanager([message])));
    const labels = (value: unknown): unknown => (value as { labels: unknown }[])[0]?.labels; // its own shape, above
    expect(labels(over)).toEqual(labels(open));
    expect(over).toMatchObject([{ endsAt: "2026-11-22T07:12:29.500Z" }]);
  });

  test.each([
    ["coordinator/journal-restored", null, "castellan-journal-restored"],
    ["not-promotable:srv159", null, "castellan-not-promotable"],
    ["node:srv127:agent-away", null, "castellan-agent-away"],
    ["rule:ESHA:vip-mask:srv127", "vip-mask", "castellan-vip-mask"],
  ])("the alert of %s has the name %s", (cause, rule, alertname) => {
    expect(parsed(renderForAlertmanager([someMessage({ cause, rule })]))).toMatchObject([
      { labels: { alertname } },
    ]);
  });
});

describe("robots", () => {
  test("DingTalk gets markdown, its signature in the query", () => {
    const { body, query } = renderForDingtalk(someMessage(), "SECtestsecret");
    expect(Object.keys(query ?? {})).toEqual(["timestamp", "sign"]);
    expect(parsed({ body })).toMatchObject({ msgtype: "markdown", markdown: { title: "critical: /data/kingbase.conf differs from its accepted content" } }); // prettier-ignore
    expect(body).toContain(String.raw`\n\n${"`"}+port = 54322${"`"}`);
  });

  test("WeCom gets markdown of no more bytes than it takes, cut at a line", () => {
    const long = Array.from({ length: 400 }, (_, i) => `+端口 = ${i}`).join("\n");
    const { body } = renderForWecom(someMessage({ detail: long }));
    const { markdown } = parsed({ body }) as { markdown: { content: string } }; // its own shape
    expect(Buffer.byteLength(markdown.content)).toBeLessThanOrEqual(4_096);
    expect(Buffer.byteLength(markdown.content)).toBeGreaterThan(3_900);
    expect(markdown.content.split("\n").at(-1)).toContain("cut");
    expect(markdown.content).not.toContain("\uFFFD");
  });

  test("Feishu gets plain lines, its signature in the body, in seconds", () => {
    const message = someMessage();
    const { body } = renderForFeishu(message, "demo");
    expect(parsed({ body })).toMatchObject({
      timestamp: String(Math.floor(message.now / 1000)),
      sign: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      msg_type: "post",
      content: { post: { zh_cn: { content: expect.arrayContaining([[{ tag: "text", text: "+port = 54322" }]]) } } }, // prettier-ignore
    });
    expect(parsed(renderForFeishu(message, null))).not.toHaveProperty("sign");
  });

  test("Feishu gets no longer a request than it takes, however short the lines are", () => {
    const long = Array.from({ length: 4_000 }, (_, i) => `+"${i}"`).join("\n");
    const { body } = renderForFeishu(someMessage({ detail: long }), "demo");
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(20_000);
    expect(Buffer.byteLength(body)).toBeGreaterThan(18_000);
    expect(body).toContain("(cut; castellan alert show has all of it)");
  });

  test("a line that is cut says so: nobody types half of a fix", () => {
    const { body } = renderForWecom(someMessage({ fix: `psql -c '${"x".repeat(400)}'` }));
    expect(body).toContain("x…`");
  });

  test("a chat is given no link and no mention out of a file", () => {
    const detail = "+x = '[all](http://evil) <@all> `rm`'";
    for (const render of [
      renderForWecom,
      (m: ReturnType<typeof someMessage>) => renderForDingtalk(m, null),
    ]) {
      // prettier-ignore
      const { body } = render(someMessage({ detail, summary: "[all](http://evil) <@all>" }));
      const text = JSON.stringify(parsed({ body }));
      expect(text).toContain("`+x = '[all](http://evil) <@all> 'rm''`");
      expect(text.replaceAll(/`[^`]*`/g, "")).not.toMatch(/[[\]<]@?all/);
    }
  });

  test("a test says that it is one; the end says so, without the diff", () => {
    expect(renderForWecom(testMessage("hook", "li@a", 0)).body).toContain("［TEST］ info: test of sink hook"); // prettier-ignore
    const over = renderForWecom(someMessage({ state: "resolved" }, { kind: "resolved" })).body;
    expect(over).toContain("resolved: /data/kingbase.conf");
    expect(over).not.toContain("54322");
  });
});

describe("a site's own template", () => {
  test("takes fields as the inside of a JSON string", () => {
    const template = '{"text": "{{severity}} {{ summary }}: {{detail}}", "line": {{line}}, "rule": "{{rule}}"}'; // prettier-ignore
    const message = someMessage({ detail: 'a "b" \\ \n\u0007' });
    expect(parsed(renderFileTemplate("/t", template, message))).toEqual({
      text: `critical ${message.change.alert.summary}: a "b" \\ \n\u0007`,
      line: 12,
      rule: "",
    });
  });

  test("is refused with the line of a field that there is none of", () => {
    for (const name of ["sumary", "__proto__", "constructor"]) {
      expect(() => renderFileTemplate("/t", `{\n"a": "{{${name}}}"}`, someMessage())).toThrow(
        `/t:2: there is no field {{${name}}}.`,
      );
    }
  });

  test("what a value holds is not substituted again", () => {
    const { body } = renderFileTemplate("/t", "{{summary}}", someMessage({ summary: "{{detail}} $&" })); // prettier-ignore
    expect(body).toBe("{{detail}} $&");
  });
});
