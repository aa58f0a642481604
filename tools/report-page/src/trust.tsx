/** Whether its probabilities mean what they say, and what it makes of clips that belong to no class. */

import * as Plot from "@observablehq/plot"
import { useCallback, useState } from "preact/hooks"
import { methodOf, type page, pathOf, wholeSplits } from "./data.ts"
import { percent, plural, points } from "./format.ts"
import { Choose, Empty, Figure, Scroll, Section, Source, Tile, Val } from "./parts.tsx"

export function Calibration({ run }: { run: page.RunData }) {
  const splits = wholeSplits(run)
  const [name, setName] = useState(splits[0]?.split ?? "")
  const split = splits.find((one) => one.split === name) ?? splits[0]
  const own = split && methodOf(split, run.results?.reference ?? "")
  return (
    <Section
      id="calibration"
      title="Can its probabilities be believed?"
      lead="Of all answers that it is 80 % sure of, 80 % should be right. Points above the line: it is too modest; below: too sure. Large points stand for many answers; a small one may be off by chance."
    >
      {splits.length > 1 ? (
        <div class="tools">
          <Choose
            label="Test part"
            value={split?.split ?? ""}
            options={splits.map((one) => one.split)}
            onChange={setName}
          />
        </div>
      ) : null}
      {split && own ? (
        <Reliability key={split.split} split={split} own={own} />
      ) : (
        <Empty>Not measured: it takes tested clips.</Empty>
      )}
    </Section>
  )
}

function Reliability({ split, own }: { split: page.PageSplit; own: page.PageMethod }) {
  const { calibrated } = own
  const path = pathOf(split, own)
  const draw = useCallback(
    (width: number) => {
      const rows = [
        ...filled(own.reliability).map((bin) => ({ ...bin, shipped: false })),
        ...filled(calibrated?.reliability ?? []).map((bin) => ({ ...bin, shipped: true })),
      ]
      const percents = { domain: [0, 100], grid: true, ticks: 5 }
      const look = {
        x: (d: (typeof rows)[number]) => 100 * d.confidence,
        y: (d: (typeof rows)[number]) => 100 * d.accuracy,
        stroke: (d: (typeof rows)[number]) => (d.shipped ? "var(--s0)" : "var(--s6)"),
      }
      return {
        height: Math.min(width, 340),
        marginLeft: 40,
        marginBottom: 38,
        marginTop: 22,
        marginRight: 14,
        x: { ...percents, label: "how sure it is, %", labelArrow: "none" as const, labelAnchor: "center" as const },
        y: { ...percents, label: "right, %", labelArrow: "none" as const },
        r: { range: [0, 13], domain: [0, Math.max(1, ...rows.map(({ count }) => count))] },
        marks: [
          Plot.line(
            [
              [0, 0],
              [100, 100],
            ],
            { stroke: "var(--strong-line)", strokeDasharray: "3,3" },
          ),
          Plot.ruleX(rows, { x: look.x, y1: look.x, y2: look.y, stroke: look.stroke, strokeOpacity: 0.6 }),
          Plot.dot(rows, {
            ...look,
            r: "count",
            fill: (d) => (d.shipped ? "var(--s0)" : "none"),
            fillOpacity: 0.75,
            strokeWidth: 1.4,
          }),
        ],
      }
    },
    [own, calibrated],
  )
  const trained = own.seeds.length > 1 ? ` by ${own.seeds.length} trainings` : ""
  return (
    <>
      <p class="text">{verdict(own)}</p>
      <div class="row">
        <div class="panel">
          <ul class="key">
            <li>
              <i style={{ border: "1.5px solid var(--s6)", borderRadius: "50%" }} />
              as trained
            </li>
            {calibrated?.reliability.length ? (
              <li>
                <i style={{ background: "var(--s0)", borderRadius: "50%" }} />
                as shipped
              </li>
            ) : null}
            <li>
              <i style={{ borderTop: "2px dashed var(--strong-line)", height: 0, borderRadius: 0 }} />
              sure as often as right
            </li>
          </ul>
          <Figure label="How often it is right by how sure it is; the table has the same numbers" draw={draw} />
        </div>
        <div class="panel">
          <dl class="tiles">
            <Tile name="calibration error as trained" note={<Chance of={own} from={path} />}>
              <Val n={own.calibrationError} from={`${path}.calibrationError`} /> %
            </Tile>
            {calibrated ? (
              <>
                <Tile name="calibration error as shipped" note={<Chance of={calibrated} from={`${path}.calibrated`} />}>
                  <Val n={calibrated.calibrationError} from={`${path}.calibrated.calibrationError`} /> %
                </Tile>
                <Tile name="temperature" note={`from ${plural(calibrated.clips, "held-out clip")}, ${calibrated.from}`}>
                  <Val n={calibrated.temperature} from={`${path}.calibrated.temperature`} as={(n) => n.toFixed(2)} />
                </Tile>
                <Tile
                  name="negative log-likelihood"
                  note={
                    own.figures.nll ? (
                      <>
                        as trained{" "}
                        <Val n={own.figures.nll.value} from={`${path}.figures.nll.value`} as={(n) => n.toFixed(3)} />
                      </>
                    ) : null
                  }
                >
                  <Val n={calibrated.nll} from={`${path}.calibrated.nll`} as={(n) => n.toFixed(3)} />
                </Tile>
              </>
            ) : null}
          </dl>
          {calibrated ? (
            <p class="text range">
              The temperature divides the scores before they become probabilities: above 1 it softens them, below 1 it
              sharpens them. It comes from clips that the model was not trained on, never from these, and changes no
              answer.
            </p>
          ) : (
            <Empty>
              Nothing was calibrated: <code>calibration</code> is off, or too few clips could be held out for it. The
              bundle tells its probabilities as trained.
            </Empty>
          )}
        </div>
      </div>
      <details>
        <summary>The points as a table</summary>
        <Scroll label="How often it is right by how sure it is">
          <table>
            <thead>
              <tr>
                <th scope="col">sure, %</th>
                <th scope="col" class="n">
                  answers as trained
                </th>
                <th scope="col" class="n">
                  right, %
                </th>
                {calibrated?.reliability.length ? (
                  <>
                    <th scope="col" class="n">
                      answers as shipped
                    </th>
                    <th scope="col" class="n">
                      right, %
                    </th>
                  </>
                ) : null}
              </tr>
            </thead>
            <tbody>
              {own.reliability.map((bin, i) => {
                const shipped = calibrated?.reliability[i]
                const bins = own.reliability.length
                return bin.count === 0 && !shipped?.count ? null : (
                  <tr key={i / bins}>
                    <th scope="row">
                      {Math.round((100 * i) / bins)} to {Math.round((100 * (i + 1)) / bins)}
                    </th>
                    <Bin bin={bin} from={`${path}.reliability[${i}]`} />
                    {shipped ? <Bin bin={shipped} from={`${path}.calibrated.reliability[${i}]`} /> : null}
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Scroll>
      </details>
      <Source>
        <code>results.json</code> → <code>{path}.reliability</code> and <code>{path}.calibrated</code>:{" "}
        {plural(split.clips, "test clip")}
        {trained}. Of few clips the calibration error is never 0, however well they are told.
      </Source>
    </>
  )
}

function Bin({ bin, from }: { bin: page.ReliabilityBin; from: string }) {
  return (
    <>
      <td class="n">
        <Val n={bin.count} from={`${from}.count`} as={String} />
      </td>
      <td class="n">{bin.count > 0 ? <Val n={bin.accuracy} from={`${from}.accuracy`} /> : "–"}</td>
    </>
  )
}

const filled = (bins: readonly page.ReliabilityBin[]) => bins.filter(({ count }) => count > 0)

/** Less than this, sure and right are about the same. */
const CLOSE = 0.03

/** What chance alone makes of a calibration error; runs from before it was counted have none. */
function Chance({ of, from }: { of: { calibrationErrorByChance?: number }; from: string }) {
  const { calibrationErrorByChance: chance } = of
  if (chance === undefined) return <>mean distance of sure and right</>
  return (
    <>
      mean distance of sure and right; by chance alone <Val n={chance} from={`${from}.calibrationErrorByChance`} /> %
    </>
  )
}

/** One sentence on how sure it is and how often it is right. */
function verdict({ method, reliability, calibrated }: page.PageMethod): string {
  const shipped = calibrated !== null && calibrated.reliability.length > 0
  const bins = shipped ? calibrated.reliability : reliability
  const answers = bins.reduce((sum, { count }) => sum + count, 0)
  const mean = (value: (bin: page.ReliabilityBin) => number) =>
    bins.reduce((sum, bin) => sum + bin.count * value(bin), 0) / Math.max(1, answers)
  const [sure, right] = [mean(({ confidence }) => confidence), mean(({ accuracy }) => accuracy)]
  const off = sure - right
  const judged =
    Math.abs(off) < CLOSE
      ? "about as sure as it may be"
      : off > 0
        ? `too sure by ${points(off).slice(1)} points`
        : `too modest by ${points(-off).slice(1)} points`
  return `${shipped ? `As it is shipped, ${method}` : method} is ${percent(sure)} % sure on average and right for ${percent(right)} %: ${judged}.`
}

export function Unknown({ run }: { run: page.RunData }) {
  const rows = run.results?.background ?? []
  const [first] = rows
  const mean = (pick: (row: page.BackgroundTrial) => number | null) => {
    const known = rows.map(pick).filter((value) => value !== null)
    return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null
  }
  const [alarms, kept, area] = [
    mean(({ falseAlarms }) => falseAlarms),
    mean(({ recognised }) => recognised),
    mean(({ rocArea }) => rocArea),
  ]
  const over = rows.length > 1 ? `mean of ${rows.length} trainings` : null
  return (
    <Section
      id="unknown"
      title="Clips of no class"
      lead="Whether it says “unknown” of clips that show none of the classes. It was not trained on any of them: the threshold comes from some, and the others test it."
    >
      {!first ? (
        <Empty>
          Not measured: there are no such clips, so the model names a class for whatever it is shown. Put clips of
          anything else into a folder <code>_background</code> beside the classes and run again.
        </Empty>
      ) : (
        <>
          <dl class="tiles">
            <Tile name="false alarms" note={over ?? `${percent(first.falseAlarmRate)} % were allowed`}>
              {alarms === null ? "–" : `${percent(alarms)} %`}
            </Tile>
            <Tile name="clips of classes kept" note={over ?? "the others are called unknown"}>
              {kept === null ? "–" : `${percent(kept)} %`}
            </Tile>
            <Tile name="area under the ROC curve" note="1: told apart always; 0.5: by chance">
              {area === null ? "–" : area.toFixed(3)}
            </Tile>
          </dl>
          <Scroll label="Background clips, by training">
            <table class="wide">
              <thead>
                <tr>
                  <th scope="col">training</th>
                  <th scope="col" class="n">
                    threshold
                  </th>
                  <th scope="col" class="n">
                    from clips
                  </th>
                  <th scope="col" class="n">
                    tested
                  </th>
                  <th scope="col" class="n">
                    false alarms %
                  </th>
                  <th scope="col" class="n">
                    kept %
                  </th>
                  <th scope="col" class="n">
                    ROC area
                  </th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row, i) => {
                  const place = `background[${i}]`
                  return (
                    <tr key={place}>
                      <th scope="row">
                        {row.split}, seed {row.seed}
                      </th>
                      <td class="n">
                        <Val n={row.threshold} from={`${place}.threshold`} as={(n) => n.toFixed(3)} />
                      </td>
                      <td class="n">
                        <Val n={row.clips} from={`${place}.clips`} as={String} />
                      </td>
                      <td class="n">
                        <Val n={row.tested} from={`${place}.tested`} as={String} />
                      </td>
                      <td class="n">
                        {row.falseAlarms === null ? "–" : <Val n={row.falseAlarms} from={`${place}.falseAlarms`} />}
                      </td>
                      <td class="n">
                        <Val n={row.recognised} from={`${place}.recognised`} />
                      </td>
                      <td class="n">
                        {row.rocArea === null ? (
                          "–"
                        ) : (
                          <Val n={row.rocArea} from={`${place}.rocArea`} as={(n) => n.toFixed(3)} />
                        )}
                      </td>
                    </tr>
                  )
                })}
              </tbody>
            </table>
          </Scroll>
          <Source>
            <code>results.json</code> → <code>background</code>. A clip is unknown where the best class is not more
            probable than the threshold, set for {percent(first.falseAlarmRate)} % false alarms (
            <code>falseAlarmRate</code>) on the clips in “from clips”.
          </Source>
        </>
      )}
    </Section>
  )
}
