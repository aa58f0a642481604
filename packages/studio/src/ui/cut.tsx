/** Cuts clips out of a long video, by keys: nothing is encoded anew, a clip is a stretch of its file. */

import { useRef, useState } from "preact/hooks"
import { text } from "../strings.ts"
import { Dialog } from "./dialog.tsx"
import { useKeys } from "./keys.ts"
import { useMedia } from "./media.ts"
import { colourOf, type Model } from "./model.ts"

export function Cutter({ model, id, close }: { model: Model; id: string; close(): void }) {
  const clip = model.clip(id)
  const video = useRef<HTMLVideoElement>(null)
  const url = useMedia(model, id)
  const [time, setTime] = useState(0)
  // what keys go by: they may come quicker than it is drawn
  const now = useRef(0)
  const [playing, setPlaying] = useState(false)
  const [marks, mark] = useState<{ from: number | null; to: number | null }>({ from: null, to: null })
  const start = clip?.start ?? 0
  const length = clip?.seconds ?? 0
  const reach = (to: number) => {
    now.current = to
    setTime(to)
  }
  const go = (to: number) => {
    const held = Math.min(Math.max(0, to), length)
    if (video.current) video.current.currentTime = start + held
    reach(held)
  }
  const toggle = () => {
    if (!video.current) return
    if (video.current.paused) void video.current.play().catch(() => {})
    else video.current.pause()
  }
  const stretch =
    marks.from !== null && marks.to !== null && marks.to > marks.from ? { start: marks.from, end: marks.to } : null
  const begin = () => mark(({ to }) => ({ from: now.current, to }))
  const end = () => mark(({ from }) => ({ from, to: now.current }))
  const cut = (label: string) => {
    if (!stretch) return
    void model.attempt(async () => {
      await model.home.cut(id, [{ ...stretch, label }])
      model.say(text.cutMade(1))
      mark({ from: stretch.end, to: null })
    })
  }
  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false
    const key = event.key.toLowerCase()
    if (key === " " && !(event.target instanceof HTMLButtonElement)) toggle()
    else if (key === "arrowright") go(now.current + (event.shiftKey ? 1 : 0.04))
    else if (key === "arrowleft") go(now.current - (event.shiftKey ? 1 : 0.04))
    else if (key === "i") begin()
    else if (key === "o") end()
    else if (/^[1-9]$/.test(key) && model.classes[Number(key) - 1] !== undefined) cut(model.classes[Number(key) - 1])
    else return false
    return true
  })
  if (!clip) return null
  const share = (seconds: number) => `${length > 0 ? (100 * seconds) / length : 0}%`
  const pieces = model.present.filter(
    (other) =>
      other.id !== id &&
      other.start !== null &&
      other.end !== null &&
      other.name.startsWith(`${clip.name.replace(/\.[a-z0-9]{2,4}$/i, "")} `),
  )
  return (
    <Dialog title={text.cutTitle} close={close}>
      <div class="cutter">
        <p class="file-name">{clip.name}</p>
        <div class="viewfinder">
          {url && (
            <video
              ref={video}
              src={url}
              muted
              playsInline
              onLoadedMetadata={() => go(now.current)}
              onPlay={() => setPlaying(true)}
              onPause={() => setPlaying(false)}
              onTimeUpdate={(event) => {
                if (event.currentTarget.seeking) return
                reach(event.currentTarget.currentTime - start)
                if (now.current >= length) event.currentTarget.pause()
              }}
            />
          )}
        </div>
        <div class="track">
          {pieces.map((other) => (
            <i
              key={other.id}
              class="piece"
              style={{
                left: share((other.start ?? 0) - start),
                width: share((other.end ?? 0) - (other.start ?? 0)),
                background: colourOf(model.classes.indexOf(other.label ?? "")),
              }}
            />
          ))}
          {marks.from !== null && (
            <i
              class="marked"
              style={{ left: share(marks.from), width: share(Math.max(0, (marks.to ?? time) - marks.from)) }}
            />
          )}
          <input
            type="range"
            autofocus
            aria-label={text.position}
            aria-valuetext={text.seconds(time)}
            min={0}
            max={length}
            step={0.04}
            value={time}
            onInput={(event) => go(event.currentTarget.valueAsNumber)}
          />
        </div>
        <div class="cut-tools">
          <button type="button" onClick={toggle}>
            {playing ? text.pause : text.play}
          </button>
          <button type="button" onClick={begin}>
            {text.cutIn}
          </button>
          <button type="button" onClick={end}>
            {text.cutOut}
          </button>
          <output>{stretch ? text.cutStretch(stretch.start, stretch.end) : text.cutNone}</output>
        </div>
        <p class="labels">
          {text.cutAs}
          {model.classes.map((name, place) => (
            <button
              key={name}
              type="button"
              class="chip"
              disabled={!stretch}
              style={{ "--own": colourOf(place) }}
              onClick={() => cut(name)}
            >
              {place < 9 && <kbd>{place + 1}</kbd>} {name}
            </button>
          ))}
        </p>
        <p class="hint wide-only">{text.cutHint}</p>
      </div>
    </Dialog>
  )
}
