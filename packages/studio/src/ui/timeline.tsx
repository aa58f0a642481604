/** What the recogniser says along a video. */

import { useEffect, useRef, useState } from "preact/hooks"
import type { LiveAnswer } from "../engine/live.ts"
import { percent, text } from "../strings.ts"
import type { LiveEngine } from "./live.ts"
import { colourOf, type Model } from "./model.ts"

interface Shown {
  url: string
  duration: number
  spans: { label: string | null; from: number; to: number; probability: number }[]
}

export function FileTimeline({ model, engine }: { model: Model; engine: LiveEngine }) {
  const input = useRef<HTMLInputElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const [busy, setBusy] = useState(false)
  const [shown, show] = useState<Shown | null>(null)
  const [time, setTime] = useState(0)
  useEffect(() => () => URL.revokeObjectURL(shown?.url ?? ""), [shown])
  const open = (file: File | undefined) => {
    if (!file) return
    setBusy(true)
    void model
      .attempt(async () => {
        const { duration, answers } = await engine.timeline(file)
        show({ url: URL.createObjectURL(file), duration, spans: spansOf(answers, duration) })
      })
      .then(() => setBusy(false))
  }
  const now = shown?.spans.find(({ from, to }) => time >= from && time < to)
  return (
    <div class="file">
      <h2>{text.fileTitle}</h2>
      <p class="hint">{text.fileBody}</p>
      <button type="button" disabled={busy} onClick={() => input.current?.click()}>
        {busy ? text.fileWorking : text.fileChoose}
      </button>
      <input
        ref={input}
        hidden
        type="file"
        accept="video/*"
        aria-label={text.fileChoose}
        onChange={(event) => open(event.currentTarget.files?.[0])}
      />
      {shown && (
        <div class="shown">
          <video
            ref={video}
            src={shown.url}
            muted
            playsInline
            controls
            onTimeUpdate={(event) => setTime(event.currentTarget.currentTime)}
          />
          <p class="says small">{now ? (now.label ?? text.unknown) : "–"}</p>
          <div class="lane">
            {shown.spans.map(({ label, from, to, probability }) => (
              <button
                key={from}
                type="button"
                style={{
                  left: `${(100 * from) / shown.duration}%`,
                  width: `${(100 * (to - from)) / shown.duration}%`,
                  "--own": colourOf(label === null ? -1 : model.classes.indexOf(label)),
                }}
                aria-label={`${text.fileLane(label ?? text.unknown, from, to)}, ${percent(probability)}`}
                onClick={() => {
                  if (video.current) video.current.currentTime = from
                }}
              >
                <span>{label ?? text.unknown}</span>
              </button>
            ))}
          </div>
        </div>
      )}
    </div>
  )
}

/** Neighbouring answers that agree as one span; each answer stands for the time since the one before. */
function spansOf(answers: readonly LiveAnswer[], duration: number): Shown["spans"] {
  const spans: Shown["spans"] = []
  let from = 0
  for (const [i, { time, top, unknown }] of answers.entries()) {
    const label = unknown ? null : top[0].label
    const to = i === answers.length - 1 ? duration : Math.min(time, duration)
    const last = spans[spans.length - 1]
    if (last && last.label === label) {
      last.to = to
      last.probability = Math.max(last.probability, top[0].probability)
    } else if (to > from) spans.push({ label, from, to, probability: top[0].probability })
    from = to
  }
  return spans
}
