/** Clips without a class that would teach most, one after another: one key confirms the guess, corrects it, or puts it off. */

import { useEffect, useState } from "preact/hooks"
import type { api } from "../home.ts"
import { percent, text } from "../strings.ts"
import { Picture } from "./grid.tsx"
import { isTyped, useKeys } from "./keys.ts"
import { colourOf, type Model } from "./model.ts"

/** Clips that are shown to come. */
const AHEAD = 5

export function Suggestions({ model }: { model: Model }) {
  const [found, setFound] = useState<api.Suggestion[]>([])
  const [later, putOff] = useState<ReadonlySet<string>>(new Set())
  const { status } = model.training
  useEffect(() => {
    if (status !== "running") model.home.suggestions().then(setFound, () => {})
  }, [model.home, model.report, status])
  const open = found.flatMap((one) => {
    const clip = model.clip(one.clip)
    return clip && clip.label === null && !clip.removed ? [{ ...one, own: clip }] : []
  })
  const queue = [...open.filter(({ clip }) => !later.has(clip)), ...open.filter(({ clip }) => later.has(clip))]
  const [now] = queue
  const confirm = (label: string) => now && label !== "" && void model.label([now.clip], label)
  const skip = () => now && putOff(new Set([...[...later].filter((clip) => clip !== now.clip), now.clip]))
  useKeys((event) => {
    if (isTyped(event)) return false
    const key = event.key.toLowerCase()
    if ((event.ctrlKey || event.metaKey) && key === "z") void model.undo()
    else if (event.ctrlKey || event.metaKey || event.altKey || !now) return false
    else if (key === "y") confirm(now.label)
    else if (key === "n") skip()
    else if (/^[1-9]$/.test(key) && model.classes[Number(key) - 1] !== undefined)
      confirm(model.classes[Number(key) - 1])
    else return false
    return true
  })
  if (!now) return null
  return (
    <section class="suggest" aria-label={text.suggestions}>
      <h2>
        {text.suggestions} <small class="badge">{queue.length}</small>
      </h2>
      <div class="asked">
        <Picture key={now.clip} model={model} clip={now.own} playing />
        <div>
          <p class="file-name">{now.own.name}</p>
          <p class="guess" role="status">
            {now.label === "" ? text.noGuess : text.guess(now.label, percent(now.probability))}
          </p>
          <p class="labels">
            {now.label !== "" && (
              <button type="button" class="primary" onClick={() => confirm(now.label)}>
                <kbd>Y</kbd> {text.makeIt(now.label)}
              </button>
            )}
            {model.classes.map((name, place) =>
              name === now.label ? null : (
                <button
                  key={name}
                  type="button"
                  class="chip"
                  style={{ "--own": colourOf(place) }}
                  onClick={() => confirm(name)}
                >
                  {place < 9 && <kbd>{place + 1}</kbd>} {name}
                </button>
              ),
            )}
            {queue.length > 1 && (
              <button type="button" onClick={skip}>
                <kbd>N</kbd> {text.notNow}
              </button>
            )}
          </p>
          <ul class="ahead" aria-label={text.ahead}>
            {queue.slice(1, 1 + AHEAD).map(({ clip, own, label }) => (
              <li key={clip}>
                <Picture model={model} clip={own} />
                <small>{label}</small>
              </li>
            ))}
          </ul>
        </div>
      </div>
      <p class="hint wide-only">{text.suggestKeys}</p>
    </section>
  )
}
