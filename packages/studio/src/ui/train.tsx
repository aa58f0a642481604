/** One button; what it does is shown while it does it. */

import { BACKGROUND } from "../engine/training-job.ts"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import { Curve } from "./curve.tsx"
import { colourOf, type Model } from "./model.ts"

const FEW = 10

export function Train({ model }: { model: Model }) {
  const { training, usable } = model
  const curve = shownOf(training.curves)
  const classes = model.classes.filter((name) => usable.some(({ label }) => label === name))
  const counts = classes.map((name) => usable.filter(({ label }) => label === name).length)
  const unlabelled = model.present.filter(({ label, problem }) => label === null && problem === null).length
  const running = training.status === "running"
  const unfinished = training.status === "stopped" || training.status === "interrupted"
  const taught = classes.filter((name) => name !== BACKGROUND).length
  const none = usable.filter(({ label }) => label === BACKGROUND).length
  const able = taught >= 2
  const most = Math.max(1, ...counts)
  return (
    <section class="train narrow" aria-label={text.screens.train}>
      <h1>{text.trainTitle}</h1>
      {able ? (
        <p class="lead">{text.trainSummary(usable.length - none, taught, none)}</p>
      ) : (
        <p class="lead">{text.trainNeeds}</p>
      )}
      {able && (
        <dl class="bars">
          {classes.map((name, i) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <i
                  style={{ "--share": counts[i] / most, background: colourOf(model.classes.indexOf(name)) }}
                  aria-hidden="true"
                />
                <data value={counts[i]}>{counts[i]}</data>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {able && Math.min(...counts) < FEW && <p class="hint">{text.trainFew}</p>}
      {unlabelled > 0 && <p class="hint">{text.unlabelled(unlabelled)}</p>}
      {model.home.kind === "page" && !crossOriginIsolated && <p class="hint">{text.single}</p>}
      <div class="actions">
        {running ? (
          <button type="button" class="danger big" onClick={() => void model.attempt(() => model.home.stopTraining())}>
            {text.stop}
          </button>
        ) : (
          <button type="button" class="primary big" disabled={!able} onClick={() => void model.train(unfinished)}>
            {unfinished ? text.goOn : training.status === "done" ? text.trainAgain : text.train}
          </button>
        )}
        {model.bundle && (
          <a class="button" href="#use">
            {text.tryIt}
          </a>
        )}
        {model.report && !running && (
          <a class="button" href="#look">
            {text.seeResult}
          </a>
        )}
      </div>
      <div role="status" class="progress">
        {running && (
          <>
            <p>
              <strong>{text.stage(training.stage)}</strong>
              {training.total > 0 && (
                <span>
                  {training.done} / {training.total}
                </span>
              )}
              <span class="left">{training.left === null ? "" : text.left(training.left)}</span>
            </p>
            <progress
              aria-label={text.stage(training.stage)}
              value={training.total > 0 ? training.done : undefined}
              max={Math.max(1, training.total)}
            />
          </>
        )}
        {running && model.bundle && training.curves.length > 0 && <p>{text.ready}</p>}
        {training.status === "done" && <p>{text.took(training.seconds)}</p>}
        {training.status === "stopped" && <p>{text.stopped}</p>}
        {training.status === "interrupted" && <p>{text.interrupted}</p>}
        {training.status === "failed" && <p class="failure">{training.error}</p>}
      </div>
      {curve.length > 1 ? (
        <Curve points={curve} />
      ) : (
        <ol class="plan">
          {text.trainSteps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      )}
    </section>
  )
}

/** The curve of one network: of that which is shipped, as soon as it has one; with a server, others are trained before and after it. */
function shownOf(points: readonly api.CurvePoint[]): readonly api.CurvePoint[] {
  const trained = points.filter(({ part }) => part === "train")
  const names = new Set(trained.map(({ method }) => method))
  const shown = ["full", "baseline"].find((name) => names.has(name)) ?? trained.at(-1)?.method
  return trained.filter(({ method }) => method === shown)
}
