/** What it rests on and what to do next: advice, the data, how the run was made. */

import * as Plot from "@observablehq/plot"
import { useCallback } from "preact/hooks"
import { Card, useClips } from "./clips.tsx"
import type { page } from "./data.ts"
import { plural, seconds, shorten } from "./format.ts"
import { Empty, Figure, Scroll, Section, Source, Tile } from "./parts.tsx"

const ABOUT: Readonly<Record<page.Advice["about"], string>> = {
  labels: "Labels",
  classes: "Confused classes",
  words: "Words",
  model: "Model",
  test: "Test",
  data: "Data",
}

/** `code` between backticks. */
function Marked({ text }: { text: string }) {
  return <>{text.split("`").map((part, i) => (i % 2 === 1 ? <code key={`${i} ${part}`}>{part}</code> : part))}</>
}

export function AdviceList({ run }: { run: page.RunData }) {
  const fixes = run.health?.findings ?? []
  const all = [
    ...run.advice,
    ...fixes.map(
      (one): page.Advice => ({
        about: "data",
        seen: capital(`${one.what}${one.found ? ` (${one.found})` : ""}.`),
        todo: capital(`${one.fix}.`),
        clips: [],
      }),
    ),
  ]
  return (
    <Section id="advice" title="What to do next">
      {all.length === 0 ? (
        <Empty>{run.results ? "Nothing stands out." : "Advice follows when there are figures."}</Empty>
      ) : null}
      <ul class="advice">
        {all.map((one) => (
          <AdviceItem key={one.seen} advice={one} run={run} />
        ))}
      </ul>
    </Section>
  )
}

function AdviceItem({ advice, run }: { advice: page.Advice; run: page.RunData }) {
  const { open } = useClips()
  const pictures = advice.clips.filter((id) => run.clips[id]?.strip)
  return (
    <li>
      <span class="about">{ABOUT[advice.about]}</span>
      <span class="seen">
        <Marked text={advice.seen} />
      </span>
      <span>
        <Marked text={advice.todo} />
      </span>
      {advice.clips.length > 0 ? (
        <details>
          <summary>The {plural(advice.clips.length, "clip")}</summary>
          {pictures.length > 0 ? (
            <ul class="cards">
              {pictures.map((id) => (
                <Card key={id} id={id} label={run.clips[id]?.label ?? null} />
              ))}
            </ul>
          ) : (
            advice.clips.map((id) => (
              <button type="button" class="button" key={id} onClick={() => open(id)}>
                {run.clips[id]?.path ?? id}
              </button>
            ))
          )}
        </details>
      ) : null}
    </li>
  )
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** Classes in the picture of counts, at most. */
const MOST_CLASSES = 40

export function HealthSection({ run }: { run: page.RunData }) {
  const { health, about } = run
  const draw = useCallback(
    (width: number) => {
      const names = health?.classes.slice(0, MOST_CLASSES) ?? []
      const [first] = about?.splits ?? []
      const parts = first?.fold || !first ? [] : (["train", "val", "test"] as const)
      const rows =
        parts.length > 0 && first
          ? names.flatMap(({ name }) => parts.map((part) => ({ name, part, clips: first[part].classes[name] ?? 0 })))
          : names.map(({ name, clips }) => ({ name, part: "clips", clips }))
      return {
        height: 34 + 20 * names.length,
        marginLeft: width < 520 ? 118 : 190,
        marginTop: 24,
        marginBottom: 6,
        x: { label: null, axis: "top" as const, grid: true, ticks: 5, tickFormat: "~s" },
        y: {
          domain: names.map(({ name }) => name),
          label: null,
          tickSize: 0,
          tickFormat: (text: string) => shorten(text, width < 520 ? 17 : 28),
        },
        marks: [
          Plot.barX(rows, {
            y: "name",
            x: "clips",
            fill: (d) => ({ train: "var(--s0)", val: "var(--s4)", test: "var(--s3)" })[String(d.part)] ?? "var(--s0)",
            insetTop: 2,
            insetBottom: 2,
          }),
          Plot.ruleX([0], { stroke: "var(--ink)" }),
        ],
      }
    },
    [health, about],
  )
  if (!health) {
    return (
      <Section id="data" title="The data">
        <Empty>The manifest is not in the run's folder.</Empty>
      </Section>
    )
  }
  const [first] = about?.splits ?? []
  const counts = health.classes.map(({ clips }) => clips)
  const imbalance = counts.length > 0 ? Math.max(...counts) / Math.max(1, Math.min(...counts)) : 1
  return (
    <Section id="data" title="The data">
      <dl class="tiles">
        <Tile
          name="clips"
          note={`${health.labelled === health.clips ? "all" : health.labelled.toLocaleString("en")} labelled; ${seconds(3600 * health.hours)}`}
        >
          {health.clips.toLocaleString("en")}
        </Tile>
        <Tile name="classes" note={`largest to smallest ${imbalance.toFixed(1)} : 1`}>
          {String(health.classes.length)}
        </Tile>
        <Tile
          name="groups"
          note={health.groups > 0 ? "kept on one side of a split" : "splits and intervals count clips"}
        >
          {health.groups > 0 ? String(health.groups) : "none"}
        </Tile>
        <Tile name="cannot be used" note={health.quarantined > 0 ? "see below" : "every file can be read"}>
          {String(health.quarantined)}
        </Tile>
        <Tile name="same content" note={health.duplicated > 0 ? "sets of equal clips" : "no duplicates"}>
          {String(health.duplicated)}
        </Tile>
        <Tile name="too short" note={`fewer than ${about?.encoder.frames ?? "the sampled"} frames`}>
          {String(health.shorter)}
        </Tile>
      </dl>
      <div class="panel">
        <h3>
          Labelled clips of each class
          {health.classes.length > MOST_CLASSES ? `, the ${MOST_CLASSES} largest of ${health.classes.length}` : ""}
        </h3>
        {first && !first.fold ? (
          <ul class="key">
            <li>
              <i style={{ background: "var(--s0)" }} />
              trained on
              {about?.labelsPerClass === null || about === null
                ? ""
                : ` (${about.labelsPerClass} labels of a class used)`}
            </li>
            <li>
              <i style={{ background: "var(--s4)" }} />
              validation
            </li>
            <li>
              <i style={{ background: "var(--s3)" }} />
              tested on
            </li>
          </ul>
        ) : null}
        {health.classes.length > 0 ? (
          <Figure label="Labelled clips of each class" draw={draw} />
        ) : (
          <Empty>No clip has a label.</Empty>
        )}
      </div>
      {health.quarantined > 0 ? (
        <details>
          <summary>{plural(health.quarantined, "file")} that cannot be used</summary>
          <Scroll label="Files that cannot be used">
            <table class="wide">
              <thead>
                <tr>
                  <th scope="col">file</th>
                  <th scope="col">why</th>
                </tr>
              </thead>
              <tbody>
                {health.quarantine.map(({ path, reason }) => (
                  <tr key={path}>
                    <th scope="row" class="clipname">
                      {path}
                    </th>
                    <td>{reason}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      ) : null}
      {health.duplicated > 0 ? (
        <details>
          <summary>Clips with the same content</summary>
          <ul>
            {health.duplicates.map((same) => (
              <li key={same[0].path} class="clipname">
                {same.map(({ path, label }) => `${path} (${label ?? "no label"})`).join(" = ")}
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      {health.shorter > 0 ? (
        <details>
          <summary>Clips with fewer frames than are sampled: frames are repeated</summary>
          <ul>
            {health.short.map(({ path, frames, seconds: length }) => (
              <li key={path} class="clipname">
                {path}: {plural(frames, "frame")}, {length.toFixed(2)} s
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      <Source>
        <code>manifest.jsonl</code> and <code>report/about.json</code>
      </Source>
    </Section>
  )
}

export function Made({ run }: { run: page.RunData }) {
  const { about, times, config } = run
  const total = times.reduce((sum, time) => sum + time.seconds, 0)
  const most = Math.max(1e-9, ...times.map((time) => time.seconds))
  const dollars = times.some((time) => typeof time.dollars === "number")
    ? times.reduce((sum, time) => sum + (time.dollars ?? 0), 0)
    : null
  return (
    <Section id="made" title="How it was made">
      {about ? (
        <dl class="facts">
          <dt>data</dt>
          <dd>{about.data}</dd>
          <dt>splits</dt>
          <dd>
            {about.splits
              .map(
                ({ name, train, val, test }) =>
                  `${name}: ${train.clips} to train, ${val.clips} to validate, ${test.clips} to test`,
              )
              .slice(0, 12)
              .join("; ")}
          </dd>
          <dt>encoder</dt>
          <dd>
            {about.encoder.name}, frozen: {about.encoder.frames} frames of {about.encoder.resolution[1]} ×{" "}
            {about.encoder.resolution[0]}, map {about.encoder.map.join(" × ")}{" "}
            <code>{about.encoder.id.slice(0, 12)}</code>
          </dd>
          <dt>words</dt>
          <dd>
            {about.words
              ? `${about.words.answers.toLocaleString("en")} answers about ${about.words.clips.toLocaleString("en")} training clips, by ${about.words.model ?? "an unknown model"}; embedded by ${about.words.textEncoder}`
              : "none"}
          </dd>
          <dt>prompts</dt>
          <dd>
            {about.prompts.length > 0 ? about.prompts.map(({ id, text }) => `${id}: ${text}`).join(" · ") : "none"}
          </dd>
          <dt>seeds</dt>
          <dd>{about.seeds.join(", ")}</dd>
          <dt>versions</dt>
          <dd>
            fourtier {about.fourtier}, Node {about.node}, configuration <code>{about.configHash.slice(0, 16)}</code>
          </dd>
        </dl>
      ) : null}
      <div class="panel">
        <h3>Time and cost of each stage</h3>
        {times.length === 0 ? (
          <Empty>Times are noted when a run is finished.</Empty>
        ) : (
          <>
            <Scroll label="Time and cost of each stage">
              <table class="wide">
                <thead>
                  <tr>
                    <th scope="col">stage</th>
                    <th scope="col" class="n">
                      time
                    </th>
                    <th scope="col">
                      <span class="hidden">share of the longest</span>
                    </th>
                    <th scope="col" class="n">
                      requests
                    </th>
                    <th scope="col" class="n">
                      US dollars
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {times.map((time) => (
                    <tr key={time.stage}>
                      <th scope="row">{time.stage}</th>
                      <td class="n">{seconds(time.seconds)}</td>
                      <td style={{ width: "30%" }}>
                        <Meterless share={time.seconds / most} />
                      </td>
                      <td class="n">{time.requests ?? ""}</td>
                      <td class="n">
                        {typeof time.dollars === "number"
                          ? time.dollars.toFixed(2)
                          : time.requests
                            ? "no price known"
                            : ""}
                      </td>
                    </tr>
                  ))}
                  <tr class="own">
                    <th scope="row">together</th>
                    <td class="n">{seconds(total)}</td>
                    <td />
                    <td />
                    <td class="n">{dollars === null ? "" : dollars.toFixed(2)}</td>
                  </tr>
                </tbody>
              </table>
            </Scroll>
            <Source>
              <code>report/times.json</code>: of all runs into this folder the longest time of each stage, since later
              ones take over what is done.
            </Source>
          </>
        )}
      </div>
      {config ? (
        <details>
          <summary>The resolved configuration (config.yaml)</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
          <pre tabIndex={0}>{config}</pre>
        </details>
      ) : null}
      <p class="range">
        {run.withoutStrip > 0
          ? `${plural(run.withoutStrip, "clip")} of this page have no picture: pictures are bounded in number, bytes and time, mistakes first. `
          : ""}
        The figures in tables: report.md beside this page.
      </p>
    </Section>
  )
}

const Meterless = ({ share }: { share: number }) => (
  <span class="meter" aria-hidden="true">
    <i>
      <b style={{ width: `${100 * share}%` }} />
    </i>
  </span>
)
