/** Single clips: examples with and without each prompt, the worst mistakes, doubtful labels, pseudo-labels. */

import { useMemo, useState } from "preact/hooks"
import { Answers, Card, Guesses, Strip } from "./clips.tsx"
import { type page, wholeSplits } from "./data.ts"
import { percent, plural } from "./format.ts"
import { Choose, Empty, Meter, Scroll, Section, Source } from "./parts.tsx"

type Inspected = page.Inspection["clips"][number]

const ORDERS = [
  "those that the prompts change most",
  "mistakes",
  "right ones",
  "training clips, with their own answers",
] as const
const SHOWN = 4

export function Examples({ run }: { run: page.RunData }) {
  const [order, setOrder] = useState<string>(ORDERS[0])
  const [most, setMost] = useState(SHOWN)
  const clips = run.inspection?.clips ?? []
  const shown = useMemo(() => sorted(clips, order), [clips, order])
  return (
    <Section
      id="examples"
      title="Examples, with and without each prompt"
      lead="What the network guesses when one prompt's processor is left out of the trained network at inference (Figure 5 of the paper): nothing is trained again. Test clips are never described, so beside them stand the answers about training clips that they come closest to."
    >
      {clips.length === 0 ? (
        <Empty>No examples: nothing was trained, or nothing was tested.</Empty>
      ) : (
        <>
          <div class="tools">
            <Choose
              label="Show"
              value={order}
              options={ORDERS.filter((one) => sorted(clips, one).length > 0)}
              onChange={(value) => {
                setOrder(value)
                setMost(SHOWN)
              }}
            />
          </div>
          {shown.slice(0, most).map((clip) => (
            <Example key={`${clip.split} ${clip.id}`} clip={clip} run={run} />
          ))}
          {shown.length > most ? (
            <div class="tools">
              <button type="button" class="button" onClick={() => setMost(most + 8)}>
                Show more ({shown.length - most} left)
              </button>
            </div>
          ) : null}
          <Source>
            <code>report/inspection.json</code> → <code>clips</code> and <code>report/answers.json</code>. Without a
            prompt: its processor adds nothing to the map, and the language classifier counts it as it would an average
            clip's.
          </Source>
        </>
      )}
    </Section>
  )
}

/** How much the probability of the first guess falls, at most, when a prompt is left out. */
function change({ all, without }: Inspected): number {
  return Math.max(0, ...Object.values(without).map((row) => Math.abs(all[0] - row[0])))
}

function sorted(clips: readonly Inspected[], order: string): Inspected[] {
  const test = clips.filter(({ part }) => part === "test")
  const right = (clip: Inspected) => clip.classes[0] === clip.label
  if (order === ORDERS[1]) return test.filter((clip) => clip.label !== null && !right(clip))
  if (order === ORDERS[2]) return test.filter(right)
  if (order === ORDERS[3]) return clips.filter(({ part }) => part === "train")
  return test.filter((clip) => Object.keys(clip.without).length > 0).toSorted((a, b) => change(b) - change(a))
}

function Example({ clip, run }: { clip: Inspected; run: page.RunData }) {
  const names = run.inspection?.classes ?? []
  return (
    <article class="example" aria-label={run.clips[clip.id]?.path ?? clip.id}>
      <Strip id={clip.id} whole />
      <p>
        {clip.label === null ? "no label" : <span class="truth">{names[clip.label]}</span>}
        {clip.label !== null && clip.classes[0] !== clip.label ? (
          <>
            {" taken for "}
            <span class="said">{names[clip.classes[0]]}</span>
          </>
        ) : null}{" "}
        <span class="range">
          {clip.part === "train" ? "a training clip: the network has seen its label · " : ""}
          {run.clips[clip.id]?.path ?? clip.id}
        </span>
      </p>
      <div class="row">
        <Guesses clip={clip} run={run} />
        <Answers id={clip.id} clip={clip} run={run} />
      </div>
    </article>
  )
}

export function Mistakes({ run }: { run: page.RunData }) {
  const [most, setMost] = useState(12)
  const splits = wholeSplits(run)
  const rows = run.predictions.flatMap(({ split, rows }) => {
    const classes = splits.find((one) => one.split === split)?.classes ?? []
    return rows
      .filter(([, truth, said]) => truth !== said)
      .map(([id, truth, said, probability]) => ({ id, split, label: classes[truth], said: classes[said], probability }))
  })
  const unique = [
    ...new Map(
      rows.toSorted((a, b) => a.probability - b.probability).map((row) => [`${row.id} ${row.said}`, row]),
    ).values(),
  ].reverse()
  return (
    <Section
      id="mistakes"
      title="The worst mistakes"
      lead="Wrong and sure of it, the surest first. Often it is the label that is wrong, or the moment that tells the classes apart is not among the frames."
    >
      {unique.length === 0 ? (
        <Empty>{run.predictions.length > 0 ? "Every test clip was recognised." : "Nothing was tested."}</Empty>
      ) : (
        <>
          <ul class="cards">
            {unique.slice(0, most).map((row) => (
              <Card key={`${row.id} ${row.said}`} {...row} note={splits.length > 1 ? row.split : undefined} />
            ))}
          </ul>
          {unique.length > most ? (
            <div class="tools">
              <button type="button" class="button" onClick={() => setMost(most + 24)}>
                Show more ({unique.length - most} left)
              </button>
            </div>
          ) : null}
          <Source>
            <code>predictions.csv</code>, {run.results?.reference}
          </Source>
        </>
      )}
    </Section>
  )
}

export function Doubts({ run }: { run: page.RunData }) {
  const doubts = run.inspection?.doubts
  const names = run.inspection?.classes ?? []
  const basis =
    doubts?.basis === "folds"
      ? "What the clip looks like: the method's own prediction from the fold in which the clip was tested."
      : "What the clip looks like: a linear model on the frozen features, fitted on the other four fifths of the clips, since the network itself has seen these labels."
  return (
    <Section
      id="doubts"
      title="Labels to check"
      lead="Clips whose label is doubted twice: by what they look like and by what the answers say of them. Neither has seen the label of the clip that it judges."
    >
      {!doubts ? (
        <Empty>
          Not looked for: that takes described clips with labels, at least three of a class and two such classes.
        </Empty>
      ) : (
        <>
          {doubts.found.length === 0 ? (
            <Empty>Of {plural(doubts.clips, "described clip")} with a label, none is doubted by both.</Empty>
          ) : (
            <ul class="cards">
              {doubts.found.map((doubt) => (
                <li class="card" key={doubt.clip}>
                  <Strip id={doubt.clip} />
                  <div>
                    labelled <span class="said">{names[doubt.label]}</span>
                  </div>
                  <Scroll label={`Verdicts on ${doubt.clip}`}>
                    <table class="wide">
                      <tbody>
                        <Verdict name="looks like" verdict={doubt.features} names={names} />
                        <Verdict name="described as" verdict={doubt.answers} names={names} />
                      </tbody>
                    </table>
                  </Scroll>
                  <div class="name">{run.clips[doubt.clip]?.path ?? doubt.clip}</div>
                </li>
              ))}
            </ul>
          )}
          <p class="text range">
            {basis} What is said of it: a linear model on the embeddings of the answers, fitted on the other clips.
            Shares are what these models see of each class, no calibrated probabilities; {plural(doubts.clips, "clip")}{" "}
            looked at. A hard clip is doubted as well as a wrongly labelled one: look before you change anything.
          </p>
          <Source>
            <code>report/inspection.json</code> → <code>doubts</code>
          </Source>
        </>
      )}
    </Section>
  )
}

function Verdict({
  name,
  verdict,
  names,
}: {
  name: string
  verdict: page.Doubt["features"]
  names: readonly string[]
}) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{names[verdict.class]}</td>
      <td style={{ minWidth: "6rem" }}>
        <Meter share={verdict.share} kind="truth" />
      </td>
      <td class="n range">label {percent(verdict.own)}</td>
    </tr>
  )
}

export function PseudoLabels({ run }: { run: page.RunData }) {
  const figures = run.results?.pseudoLabels.filter(({ answers }) => answers === "") ?? []
  const own = run.pseudoLabels
  if (!own && figures.length === 0 && run.suggestions.length === 0) return null
  const least = own?.rows.slice(0, 12) ?? []
  return (
    <Section
      id="pseudo"
      title="Clips without a label"
      lead="Their classes are guessed from what the answers say of them; stage 2 learns from the guesses where enough speaks for them."
    >
      {figures.length > 0 ? (
        <Scroll label="Figures of the pseudo-labels">
          <table class="wide">
            <thead>
              <tr>
                <th scope="col">training</th>
                <th scope="col" class="n">
                  guessed
                </th>
                <th scope="col" class="n">
                  like no class
                </th>
                <th scope="col">used</th>
                <th scope="col" class="n">
                  evidence of clips
                </th>
                <th scope="col" class="n">
                  of labels
                </th>
                <th scope="col" class="n">
                  right, of held-back labels
                </th>
              </tr>
            </thead>
            <tbody>
              {figures.map((one) => (
                <tr key={`${one.split} ${one.seed}`}>
                  <th scope="row">
                    {one.split}, seed {one.seed}
                  </th>
                  <td class="n">{one.clips}</td>
                  <td class="n">{one.none}</td>
                  <td>{one.evidence.accepted ? "yes" : `no, about ${one.evidence.labelsWanted} more labels wanted`}</td>
                  <td class="n">{odds(one.evidence.clips)}</td>
                  <td class="n">{odds(one.evidence.labels)}</td>
                  <td class="n">{one.known > 0 ? `${percent(one.right / one.known)} % of ${one.known}` : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      ) : null}
      {least.length > 0 ? (
        <>
          <h3>The least sure guesses of {own?.all}</h3>
          <ul class="cards">
            {least.map((row) => (
              <Card
                key={row.clip}
                id={row.clip}
                label={row.label || "like no class"}
                probability={row.label ? row.probability : undefined}
                note={row.known ? `label held back: ${row.known}` : undefined}
              />
            ))}
          </ul>
        </>
      ) : null}
      {run.suggestions.length > 0 ? (
        <>
          <h3>Labels that would teach most</h3>
          <ul class="cards">
            {run.suggestions.slice(0, 6).map(({ clip, guess, probability }) => (
              <Card
                key={clip}
                id={clip}
                label={guess || "like no class"}
                probability={guess ? probability : undefined}
              />
            ))}
          </ul>
        </>
      ) : null}
      <Source>
        <code>results.json</code> → <code>pseudoLabels</code>, <code>trials/…/pseudo-labels.csv</code>,{" "}
        <code>suggestions.csv</code>
      </Source>
    </Section>
  )
}

function odds(evidence: number): string {
  if (evidence > 1000) return "> 1000 : 1"
  return evidence >= 1
    ? `${Number(evidence.toPrecision(2))} : 1`
    : `1 : ${Number(Math.min(1000, 1 / evidence).toPrecision(2))}`
}
