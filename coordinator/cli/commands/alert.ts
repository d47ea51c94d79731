import type { Command } from "commander";
import type { SinkTest } from "../../alerts/alerting.ts";
import { MuteRequest } from "../../api/contract.ts";
import type { AlertRecord, MuteRecord } from "../../store/store.ts";
import { printResult, type CliContext } from "../context.ts";
import { durationWithin, parseRequest, withExamples, withJson } from "../options.ts";
import {
  renderAlert,
  renderAlertList,
  renderAlertState,
  renderMutes,
  renderSinkTest,
} from "../render/alerts.ts";

type Json = { readonly json?: boolean };

export function addAlertCommands(program: Command, context: CliContext): void {
  const { requestedBy } = context;
  const alert = withExamples(
    program.command("alert").description("drift, broken rules, guard findings, lost redundancy"),
    "alert show 12",
    'alert ack 12 --note "changing the port, back by 14:00"',
    "alert mute 'node:srv159:*' --for 8h --note \"new disks\"",
    "alert test ops",
  );
  withJson(
    alert
      .command("list")
      .description("alerts that stand, open or acknowledged")
      .option("--all", "resolved ones too"),
  ).action(async (options: { all?: boolean } & Json) => {
    const path = `/alerts${options.all === true ? "?all=1" : ""}`;
    const alerts = await context.client().get<AlertRecord[]>(path);
    printResult(context, options.json, alerts, renderAlertList(alerts));
  });
  withJson(
    alert.command("show").description("all that is known of an alert").argument("<id>"),
  ).action(async (id: string, options: Json) => {
    const found = await context.client().get<AlertRecord>(`/alerts/${encodeURIComponent(id)}`);
    printResult(context, options.json, found, renderAlert(found));
  });
  withJson(
    alert
      .command("ack")
      .description("say that you look after it; it opens again when there is something new")
      .argument("<id>")
      .option("--note <text>", "what others should know"),
  ).action(async (id: string, options: { note?: string } & Json) => {
    const path = `/alerts/${encodeURIComponent(id)}/acknowledge`;
    const body = { requestedBy, note: options.note ?? null };
    const acknowledged = await context.client().post<AlertRecord>(path, body);
    printResult(context, options.json, acknowledged, renderAlertState(acknowledged));
  });
  withJson(
    alert
      .command("close")
      .description("say that the cause of a standing alert is gone; others end by themselves")
      .argument("<id>"),
  ).action(async (id: string, options: Json) => {
    const path = `/alerts/${encodeURIComponent(id)}/close`;
    const closed = await context.client().post<AlertRecord>(path, { requestedBy });
    printResult(context, options.json, closed, renderAlertState(closed));
  });
  addMuteCommands(alert, context);
  withJson(
    alert
      .command("test")
      .description("send a marked alert to a sink of settings.yaml and show what it answers")
      .argument("<sink>"),
  ).action(async (sink: string, options: Json) => {
    const path = `/sinks/${encodeURIComponent(sink)}/test`;
    const test = await context.client().post<SinkTest>(path, { requestedBy });
    printResult(context, options.json, test, renderSinkTest(test));
  });
}

function addMuteCommands(alert: Command, context: CliContext): void {
  const { requestedBy } = context;
  withJson(
    alert
      .command("mute")
      .description("record alerts, but send them nowhere for a while")
      .argument("<cause-pattern|id>", "causes, * for anything (quote it); or one alert's number")
      .requiredOption(
        "--for <duration>",
        "30m, 12h, 7d; at most 30d",
        durationWithin(MuteRequest.shape.forMs),
      )
      .option("--note <text>", "why"),
  ).action(async (what: string, options: { for: number; note?: string } & Json) => {
    const { for: forMs, note = null } = options;
    const request = parseRequest(MuteRequest, { what, forMs, note, requestedBy });
    const mute = await context.client().post<MuteRecord>("/mutes", request);
    const end = `To end it: castellan alert unmute ${mute.id}`;
    printResult(context, options.json, mute, [...renderMutes([mute]), end]);
  });
  withJson(
    alert
      .command("unmute")
      .description("end a mute; what it covers and still stands is sent now")
      .argument("<mute|cause-pattern>"),
  ).action(async (what: string, options: Json) => {
    const path = `/mutes/${encodeURIComponent(what)}/remove`;
    const mute = await context.client().post<MuteRecord>(path, { requestedBy });
    printResult(context, options.json, mute, [`${mute.pattern} is not muted any more.`]);
  });
  withJson(alert.command("mutes").description("what is muted, until when, by whom")).action(
    async (options: Json) => {
      const mutes = await context.client().get<MuteRecord[]>("/mutes");
      printResult(context, options.json, mutes, renderMutes(mutes));
    },
  );
}
