/** What a vision-language model says of the clips, and what a person makes of it, where the home has one. */

import { useEffect, useState } from "preact/hooks"
import type { api, DescribeHome } from "../home.ts"
import { percent, text } from "../strings.ts"
import { Picture } from "./grid.tsx"
import type { Model } from "./model.ts"

export function Describe({ model }: { model: Model }) {
  const { describing } = model
  const home = model.home.describe
  const [chosen, choose] = useState<string | null>(null)
  if (!describing || !home) return null
  const clips = model.present.filter(({ problem }) => problem === null)
  const shown = chosen ?? clips[0]?.id
  return (
    <section class="describe" aria-label={text.screens.describe}>
      <h1>{text.describeTitle}</h1>
      <p class="lead">{text.describeBody}</p>
      <Asking model={model} home={home} describing={describing} />
      <Suggestions model={model} home={home} />
      <div class="described">
        <ul class="pick" aria-label={text.allClips}>
          {clips.map((clip) => (
            <li key={clip.id}>
              <button type="button" aria-pressed={clip.id === shown} onClick={() => choose(clip.id)}>
                {clip.name}
                <small>{clip.label ?? text.noClass}</small>
              </button>
            </li>
          ))}
        </ul>
        {shown && <Answers key={shown} model={model} home={home} describing={describing} id={shown} />}
      </div>
    </section>
  )
}

interface AskingProps {
  model: Model
  home: DescribeHome
  describing: api.Describing
}

/** Asks about all clips: what it costs first. */
function Asking({ model, home, describing }: AskingProps) {
  const [estimate, setEstimate] = useState<api.Describing["expected"]>(null)
  const { status, done, total, spent, expected } = describing
  if (describing.model === "") return <p class="hint">{text.describeNobody}</p>
  const look = () =>
    void model.attempt(async () => setEstimate((await home.describe({ estimateOnly: true })).expected ?? null))
  const ask = () => {
    setEstimate(null)
    void model.attempt(() => home.describe({}))
  }
  return (
    <div class="asking">
      <p>
        <strong>{describing.model}</strong> {text.describeDone(done, total)}
      </p>
      <progress value={done} max={Math.max(1, total)} aria-label={text.describeDone(done, total)} />
      <div class="actions">
        {status === "running" ? (
          <button type="button" class="danger" onClick={() => void model.attempt(() => home.stop())}>
            {text.stop}
          </button>
        ) : estimate ? (
          <button type="button" class="primary" onClick={ask}>
            {text.describeAsk}
          </button>
        ) : (
          <button type="button" class="primary" disabled={done >= total} onClick={look}>
            {text.describeEstimate}
          </button>
        )}
        {estimate && <span>{text.describeCost(estimate)}</span>}
        {status === "running" && (
          <span>
            {text.describeSpent(spent)}
            {expected && `, ${text.describeCost(expected)}`}
          </span>
        )}
      </div>
      {describing.error && <p class="failure">{describing.error}</p>}
    </div>
  )
}

/** Clips without a class that would teach most, with a guess: one press makes it their class. */
function Suggestions({ model, home }: { model: Model; home: DescribeHome }) {
  const [found, setFound] = useState<api.Suggestion[]>([])
  useEffect(() => {
    home.suggestions().then(setFound, () => {})
  }, [home, model.report])
  const open = found.filter(({ clip }) => model.clip(clip)?.label === null)
  if (open.length === 0) return null
  return (
    <div>
      <h2>{text.suggestions}</h2>
      <ul class="doubts">
        {open.slice(0, 8).map(({ clip: id, label, probability }) => {
          const clip = model.clip(id)
          if (!clip) return null
          return (
            <li key={id}>
              <Picture model={model} clip={clip} />
              <p>{label === "" ? clip.name : text.guess(label, percent(probability))}</p>
              {label !== "" && (
                <button type="button" onClick={() => void model.label([id], label)}>
                  {text.makeIt(label)}
                </button>
              )}
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** A clip's strip of key frames with the answers beside it. */
function Answers({ model, home, describing, id }: AskingProps & { id: string }) {
  const [answers, setAnswers] = useState<api.Answer[] | null>(null)
  const [changed, setChanged] = useState(false)
  useEffect(() => {
    home.answers(id).then(setAnswers, () => setAnswers([]))
  }, [home, id, describing.done])
  if (!answers) return <p class="hint">{text.starting}</p>
  const of = (prompt: string) => answers.find((answer) => answer.prompt === prompt)
  const write = (prompt: string, value: string) => {
    const others = answers.filter((answer) => answer.prompt !== prompt)
    setAnswers([...others, { prompt, text: value, byHand: true, flags: [] }])
    setChanged(true)
  }
  const save = () =>
    void model.attempt(async () => {
      const kept = answers.filter((answer) => answer.text.trim() !== "")
      setAnswers(await home.setAnswers(id, kept))
      setChanged(false)
      model.say(text.saved)
    })
  return (
    <div class="answers">
      <img class="strip" src={home.strip(id)} alt={text.stripOf(model.clip(id)?.name ?? "")} />
      {describing.prompts.map(({ id: prompt, text: question }) => {
        const own = of(prompt)
        return (
          <label key={prompt}>
            <span>
              <kbd>{prompt}</kbd> {question}
            </span>
            <textarea rows={3} value={own?.text ?? ""} onInput={(event) => write(prompt, event.currentTarget.value)} />
            {own && own.flags.length > 0 && <small class="said">{own.flags.join(", ")}</small>}
            {own?.byHand && <small>{text.byHand}</small>}
          </label>
        )
      })}
      <div class="actions">
        <button type="button" class="primary" disabled={!changed} onClick={save}>
          {text.save}
        </button>
        {describing.model !== "" && (
          <button
            type="button"
            disabled={describing.status === "running"}
            onClick={() => void model.attempt(() => home.describe({ ids: [id], again: true }))}
          >
            {text.askAgain}
          </button>
        )}
      </div>
    </div>
  )
}
