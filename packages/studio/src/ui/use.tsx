/** The recogniser at work: live, along a file, and to be taken away. */

import { useEffect, useRef, useState } from "preact/hooks"
import type { LiveAnswer } from "../engine/live.ts"
import { BACKGROUND } from "../engine/training-job.ts"
import { percent, text } from "../strings.ts"
import { LiveEngine } from "./live.ts"
import { colourOf, type Model } from "./model.ts"
import { Take } from "./take.tsx"
import { FileTimeline } from "./timeline.tsx"

export function Use({ model }: { model: Model }) {
  const engine = useRef<LiveEngine | null>(null)
  engine.current ??= new LiveEngine(model.home)
  useEffect(() => () => engine.current?.close(), [])
  if (!model.bundle) {
    return (
      <section class="use narrow" aria-label={text.screens.use}>
        <h1>{text.useTitle}</h1>
        <p class="lead">{text.useEmpty}</p>
      </section>
    )
  }
  return (
    <section class="use" aria-label={text.screens.use}>
      <h1>{text.useTitle}</h1>
      <Live model={model} engine={engine.current} />
      <FileTimeline model={model} engine={engine.current} />
      <Take model={model} />
    </section>
  )
}

function Live({ model, engine }: { model: Model; engine: LiveEngine }) {
  const video = useRef<HTMLVideoElement>(null)
  const [on, turn] = useState(false)
  const [steady, setSteady] = useState(true)
  const [answer, setAnswer] = useState<LiveAnswer | null>(null)
  const [labels, setLabels] = useState<readonly string[]>([])
  useEffect(() => () => engine.stop(), [engine])
  const start = () =>
    model.attempt(async () => {
      if (!video.current) return
      turn(true)
      setAnswer(null)
      try {
        setLabels(await engine.start(video.current, steady ? 0.6 : 0, setAnswer))
      } catch (error) {
        turn(false)
        throw error
      }
    })
  const stop = () => {
    engine.stop()
    turn(false)
    setAnswer(null)
  }
  const best = answer?.top[0]
  return (
    <div class="live">
      <div class="viewfinder">
        <video ref={video} autoPlay muted playsInline class="mirrored" />
        {!on && <p class="off">{text.liveOff}</p>}
      </div>
      <div class="answer">
        <h2>{text.live}</h2>
        <p class="says" data-label={answer && !answer.unknown ? best?.label : ""}>
          {!answer ? (on ? text.liveWait : "–") : answer.unknown ? text.unknown : best?.label}
        </p>
        <ul class="probabilities">
          {(labels.length > 0 ? labels : model.classes.filter((name) => name !== BACKGROUND)).map((label, c) => {
            const p = answer?.probabilities[c] ?? 0
            return (
              <li key={label}>
                <span>{label}</span>
                <i class="bar" aria-hidden="true">
                  <b style={{ width: `${100 * p}%`, background: colourOf(model.classes.indexOf(label)) }} />
                </i>
                <data value={p}>{answer ? percent(p) : ""}</data>
              </li>
            )
          })}
        </ul>
        <p class="hint">{answer ? text.latency(answer.latency, engine.device === "webgpu") : " "}</p>
        <div class="actions">
          <button type="button" class={on ? "danger big" : "primary big"} onClick={on ? stop : () => void start()}>
            {on ? text.liveStop : text.liveStart}
          </button>
          <label class="check">
            <input
              type="checkbox"
              checked={steady}
              disabled={on}
              onChange={(event) => setSteady(event.currentTarget.checked)}
            />
            {text.steady}
          </label>
        </div>
      </div>
    </div>
  )
}
