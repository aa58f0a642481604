/** What the training came to: how often it is right, what it mistakes for what, and which clips show it. */

import { useState } from "preact/hooks"
import type { api } from "../home.ts"
import { percent, text } from "../strings.ts"
import { Picture } from "./grid.tsx"
import { colourOf, type Model } from "./model.ts"
import { Suggestions } from "./suggest.tsx"

interface Judged {
  clip: string
  label: number
  said: number
  probability: number
}

export function Look({ model }: { model: Model }) {
  const { report } = model
  if (!report || report.predictions.length === 0) {
    return (
      <section class="look narrow" aria-label={text.screens.look}>
        <h1>{text.lookTitle}</h1>
        <p class="lead">{model.bundle && !report ? text.lookNoFolds : text.lookEmpty}</p>
        <Suggestions model={model} />
      </section>
    )
  }
  const judged = report.predictions.map(({ clip, label, probabilities }): Judged => {
    const said = probabilities.indexOf(Math.max(...probabilities))
    return { clip, label, said, probability: probabilities[said] }
  })
  const wrong = judged.filter(({ label, said }) => label !== said).sort((a, b) => b.probability - a.probability)
  return (
    <section class="look" aria-label={text.screens.look}>
      <h1>{text.lookTitle}</h1>
      <div class="columns">
        <Headline report={report} judged={judged} />
        <Confusion model={model} report={report} judged={judged} />
      </div>
      <Suggestions model={model} />
      <h2>{text.mistakes}</h2>
      {wrong.length === 0 ? (
        <p class="hint">{text.noMistakes}</p>
      ) : (
        <Cards model={model} classes={report.classes} judged={wrong.slice(0, 12)} />
      )}
      <h2>{text.doubts}</h2>
      {report.doubts.length === 0 ? (
        <p class="hint">{text.doubtsNone}</p>
      ) : (
        <Doubts model={model} doubts={report.doubts} />
      )}
    </section>
  )
}

function Headline({ report, judged }: { report: api.StudioReport; judged: readonly Judged[] }) {
  const [first] = report.methods
  const right = judged.filter(({ label, said }) => label === said).length
  const counts = report.classes.map((_, c) => judged.filter(({ label }) => label === c).length)
  const chance = Math.max(...counts) / judged.length
  const rows = [
    ...report.methods.map((one) => ({ ...one, title: text.methodNames[one.method] ?? one.method })),
    { title: text.chance, top1: chance, low: chance, high: chance, method: "chance" },
  ]
  return (
    <div class="headline">
      <p class="share">
        <data value={first.top1}>{percent(first.top1)}</data>
      </p>
      <p>
        <strong>{text.right(right, judged.length)}</strong>, {text.interval(first.low, first.high)}.
      </p>
      <h2>{text.methods}</h2>
      <ul class="figures">
        {rows.map(({ title, top1, low, high, method }) => (
          <li key={method}>
            <span>{title}</span>
            <span class="bar" aria-hidden="true">
              <i style={{ width: `${100 * top1}%` }} class={method === first.method ? "own" : ""} />
              {high > low && <b style={{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }} />}
            </span>
            <data value={top1}>{percent(top1)}</data>
          </li>
        ))}
      </ul>
      <p class="hint">{text.testedBy(report.tested)}</p>
      <p class="hint">{text.sameSession}</p>
      {report.page && (
        <p>
          <a href={report.page} target="_blank" rel="noreferrer">
            {text.wholeReport}
          </a>
        </p>
      )}
    </div>
  )
}

function Confusion({ model, report, judged }: { model: Model; report: api.StudioReport; judged: readonly Judged[] }) {
  const [cell, choose] = useState<{ label: number; said: number } | null>(null)
  const { classes } = report
  const of = (label: number, said: number) => judged.filter((one) => one.label === label && one.said === said)
  const chosen = cell ? of(cell.label, cell.said) : []
  return (
    <div class="confusion">
      <h2>{text.confusion}</h2>
      <section class="scroll" aria-label={text.confusion}>
        <table>
          <thead>
            <tr>
              <th scope="col">
                <small>{text.trueClass}</small>
              </th>
              {classes.map((name) => (
                <th key={name} scope="col" class="turned">
                  <span>{name}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {classes.map((name, label) => {
              const total = judged.filter((one) => one.label === label).length
              return (
                <tr key={name}>
                  <th scope="row">
                    <i
                      class="swatch"
                      style={{ background: colourOf(model.classes.indexOf(name)) }}
                      aria-hidden="true"
                    />
                    {name}
                  </th>
                  {classes.map((other, said) => {
                    const count = of(label, said).length
                    const share = total > 0 ? count / total : 0
                    return (
                      <td key={other} class={label === said ? "right" : "wrong"} style={{ "--share": share }}>
                        {count > 0 ? (
                          <button
                            type="button"
                            aria-pressed={cell?.label === label && cell.said === said}
                            aria-label={text.cell(count, name, other)}
                            onClick={() => choose({ label, said })}
                          >
                            {count}
                          </button>
                        ) : (
                          <span class="nothing">·</span>
                        )}
                      </td>
                    )
                  })}
                </tr>
              )
            })}
          </tbody>
        </table>
      </section>
      <p class="hint">{text.confusionHint}</p>
      {cell && (
        <div class="chosen">
          <h3>
            {cell.label === cell.said
              ? text.cellRight(classes[cell.label])
              : text.cellClips(classes[cell.label], classes[cell.said])}
          </h3>
          <Cards model={model} classes={classes} judged={chosen.slice(0, 24)} />
        </div>
      )}
    </div>
  )
}

function Cards({ model, classes, judged }: { model: Model; classes: readonly string[]; judged: readonly Judged[] }) {
  return (
    <ul class="grid small">
      {judged.map(({ clip: id, label, said, probability }) => {
        const clip = model.clip(id)
        if (!clip) return null
        return (
          <li key={id} class="card">
            <Picture model={model} clip={clip} />
            <p>
              <strong>{classes[label]}</strong>
              {said !== label && (
                <span class="said">
                  {classes[said]}, {percent(probability)}
                </span>
              )}
            </p>
          </li>
        )
      })}
    </ul>
  )
}

function Doubts({ model, doubts }: { model: Model; doubts: api.StudioReport["doubts"] }) {
  return (
    <ul class="doubts">
      {doubts.slice(0, 12).map(({ clip: id, said, probability }) => {
        const clip = model.clip(id)
        if (!clip || clip.label === null || clip.label === said) return null
        return (
          <li key={id}>
            <Picture model={model} clip={clip} />
            <p>{text.doubt(clip.label, said, probability)}</p>
            <button type="button" onClick={() => void model.label([id], said)}>
              {text.makeIt(said)}
            </button>
          </li>
        )
      })}
    </ul>
  )
}
