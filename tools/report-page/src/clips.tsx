/** Clips: their strips, and what is known of one when it is opened. */

import { createContext } from "preact"
import { useContext, useEffect, useLayoutEffect, useRef } from "preact/hooks"
import type { page } from "./data.ts"
import { percent } from "./format.ts"
import { Scroll } from "./parts.tsx"

interface Clips {
  run: page.RunData
  open: (id: string) => void
}

const Context = createContext<Clips | null>(null)
export const ClipsProvider = Context.Provider

export function useClips(): Clips {
  const clips = useContext(Context)
  if (!clips) throw new Error("clips are shown outside of a run")
  return clips
}

/** A clip's strip, which opens it; its name where there is no picture. */
export function Strip({ id, whole = false }: { id: string; whole?: boolean }) {
  const { run, open } = useClips()
  const clip = run.clips[id]
  return (
    <button type="button" class="strip" onClick={() => open(id)} aria-label={`Open clip ${clip?.path ?? id}`}>
      {clip?.strip ? (
        <img src={clip.strip} alt="" class={whole ? "whole" : ""} />
      ) : (
        <span class="nopicture">no picture: {clip?.path ?? id}</span>
      )}
    </button>
  )
}

/** A clip with what was said of it. */
export function Card({
  id,
  label,
  said,
  probability,
  note,
}: {
  id: string
  label: string | null
  said?: string
  probability?: number
  note?: string
}) {
  const { run } = useClips()
  const wrong = said !== undefined && said !== label
  return (
    <li class="card">
      <Strip id={id} />
      <div>
        {label === null ? "no label" : wrong ? <span class="truth">{label}</span> : label}
        {wrong ? (
          <>
            {" taken for "}
            <span class="said">{said}</span>
          </>
        ) : null}
        {probability === undefined ? null : <span class="range"> {percent(probability)} % sure</span>}
        {note ? <span class="range"> · {note}</span> : null}
      </div>
      <div class="name">{run.clips[id]?.path ?? id}</div>
    </li>
  )
}

/** What the network guesses, with all prompts and without each of them (paper Figure 5). */
export function Guesses({ clip, run }: { clip: page.Inspection["clips"][number]; run: page.RunData }) {
  const names = run.inspection?.classes ?? []
  const prompts = Object.keys(clip.without)
  return (
    <Scroll label="Probabilities of the classes with and without each prompt">
      <table class="bars">
        <thead>
          <tr>
            <th scope="col">class</th>
            <th scope="col" class="n">
              all prompts
            </th>
            {prompts.map((prompt) => (
              <th scope="col" class="n" key={prompt}>
                no {prompt}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {clip.classes.map((c, i) => (
            <tr key={c} class={`${c === clip.label ? "istrue" : ""} ${i === 0 ? "issaid" : ""}`}>
              <th scope="row">
                {names[c]}
                {c === clip.label ? <span class="range"> (label)</span> : null}
              </th>
              {[clip.all, ...prompts.map((prompt) => clip.without[prompt])].map((row, k) => (
                <td class="n" key={prompts[k - 1] ?? "all"} style={{ "--p": `${100 * row[i]}%` }}>
                  {percent(row[i])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

/** The clip's own answers, or those of training clips that it comes closest to. */
export function Answers({
  id,
  clip,
  run,
  most = 1,
}: {
  id: string
  clip?: page.Inspection["clips"][number]
  run: page.RunData
  most?: number
}) {
  const { open } = useClips()
  const own = run.answers[id]
  const prompts = run.about?.prompts ?? []
  const complete = own && prompts.every((prompt) => own[prompt.id] !== undefined)
  if (complete) {
    return (
      <dl class="answers">
        {prompts.map((prompt) => (
          <div key={prompt.id}>
            <dt title={prompt.text}>
              {prompt.id} <small>the answer about this clip</small>
            </dt>
            <dd>{own[prompt.id]}</dd>
          </div>
        ))}
      </dl>
    )
  }
  const found = prompts.filter((prompt) => (clip?.closest[prompt.id]?.length ?? 0) > 0)
  if (found.length === 0)
    return (
      <p class="range">No answers to show: the clip was not described, and its text embedding was not predicted.</p>
    )
  return (
    <dl class="answers">
      {found.map((prompt) => (
        <div key={prompt.id}>
          <dt title={prompt.text}>
            {prompt.id} <small>closest answers about training clips</small>
          </dt>
          {clip?.closest[prompt.id].slice(0, most).map(([other, cosine]) => (
            <dd key={other}>
              {run.answers[other]?.[prompt.id] ?? "(not kept)"}{" "}
              <span class="range">
                (
                <button type="button" class="link" onClick={() => open(other)}>
                  {run.clips[other]?.label ?? other}
                </button>
                , cosine {cosine.toFixed(2)})
              </span>
            </dd>
          ))}
        </div>
      ))}
    </dl>
  )
}

/** All that is known of one clip. */
export function ClipDialog({ id, run, close }: { id: string; run: page.RunData; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  // before the page is painted: a key that is pressed at once closes it as well
  useLayoutEffect(() => {
    const element = dialog.current
    if (element && !element.open) element.showModal()
  }, [])
  useEffect(() => {
    if (dialog.current) dialog.current.scrollTop = 0
  }, [id])
  const clip = run.clips[id]
  const inspected = run.inspection?.clips.find((one) => one.id === id)
  const names = run.inspection?.classes ?? run.results?.splits[0]?.classes ?? []
  const said = run.predictions.flatMap(({ split, method, rows }) =>
    rows
      .filter(([own]) => own === id)
      .map(([, , c, probability, , , seed]) => ({ split, method, said: names[c], probability, seed })),
  )
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="dialog-title">
      <div class="dialog">
        <header>
          <h2 id="dialog-title">{clip?.path ?? id}</h2>
          <button type="button" class="button" onClick={close} autofocus>
            Close
          </button>
        </header>
        {clip?.strip ? (
          <img src={clip.strip} alt={`Key frames of ${clip.path}`} style={{ width: "100%", borderRadius: "6px" }} />
        ) : null}
        {clip ? (
          <p class="range">
            label {clip.label ?? "none"}
            {clip.group ? ` · group ${clip.group}` : ""} · {clip.seconds.toFixed(1)} s, {clip.frames} frames,{" "}
            {clip.width} × {clip.height}
          </p>
        ) : null}
        {said.length > 0 ? (
          <ul>
            {said.map((one) => (
              <li key={`${one.split} ${one.seed}`}>
                {one.method} on {one.split}
                {one.seed === null ? "" : `, seed ${one.seed}`}: <b>{one.said}</b> with {percent(one.probability)} %
              </li>
            ))}
          </ul>
        ) : (
          <p class="range">
            {inspected?.part === "train" ? "A training clip: the network has learned from it." : "Not a test clip."}
          </p>
        )}
        <div class="row">
          {inspected ? <Guesses clip={inspected} run={run} /> : null}
          <Answers id={id} clip={inspected} run={run} most={3} />
        </div>
      </div>
    </dialog>
  )
}
