/** What a vision-language model says of the clips, and what a person makes of it, where the home has one. */

import { useEffect, useState } from "preact/hooks"
import type { api, DescribeHome } from "../home.ts"
import { text } from "../strings.ts"
import { EndpointForm } from "./endpoint.tsx"
import { useAddress } from "./media.ts"
import type { Model } from "./model.ts"
import { Suggestions } from "./suggest.tsx"

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
      <p class="lead">{home.endpoint ? text.describeHere : text.describeBody}</p>
      {home.endpoint && (
        <EndpointForm key={describing.model} home={home.endpoint} changed={() => model.say(text.endpointKept)} />
      )}
      <Asking model={model} home={home} describing={describing} />
      <Suggestions model={model} />
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
  if (describing.model === "") return home.endpoint ? null : <p class="hint">{text.describeNobody}</p>
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
        {status !== "idle" && spent.calls > 0 && (
          <span>
            {text.describeSpent(spent)}
            {status === "running" && expected && text.describeOf(text.describeCost(expected))}
          </span>
        )}
      </div>
      {describing.error && <p class="failure">{describing.error}</p>}
    </div>
  )
}

/** A clip's strip of key frames with the answers beside it. */
function Answers({ model, home, describing, id }: AskingProps & { id: string }) {
  const [answers, setAnswers] = useState<api.Answer[] | null>(null)
  const [changed, setChanged] = useState(false)
  const strip = useAddress(() => home.strip(id), id)
  // what is being written is not taken away
  useEffect(() => {
    if (!changed) home.answers(id).then(setAnswers, () => setAnswers([]))
  }, [home, id, describing.done, describing.spent.calls])
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
      {strip && <img class="strip" src={strip} alt={text.stripOf(model.clip(id)?.name ?? "")} />}
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
