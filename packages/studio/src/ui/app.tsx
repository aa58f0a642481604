/** The page around the screens: their names, notices, colours. */

import { useEffect, useState } from "preact/hooks"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import { Collect } from "./collect.tsx"
import { Describe } from "./describe.tsx"
import { Look } from "./look.tsx"
import { type Model, useModel } from "./model.ts"
import { Train } from "./train.tsx"
import { Use } from "./use.tsx"

const SCREENS = ["collect", "describe", "train", "look", "use"] as const
type Screen = (typeof SCREENS)[number]

const BADGES: Partial<Record<api.Training["status"], string>> = { running: "…", interrupted: "!" }

const screenOf = (hash: string): Screen | undefined => SCREENS.find((name) => hash === `#${name}`)

export function App({ model }: { model: Model }) {
  useModel(model)
  const [screen, show] = useState(screenOf(location.hash) ?? "collect")
  useEffect(() => {
    const follow = () => show((now) => screenOf(location.hash) ?? now)
    addEventListener("hashchange", follow)
    return () => removeEventListener("hashchange", follow)
  }, [])
  useEffect(() => {
    document.title = `${text.screens[screen]} – ${text.name}`
    scrollTo(0, 0)
    if (screen === "train") model.trainingSeen()
  }, [screen])
  const screens = SCREENS.filter((name) => name !== "describe" || model.home.describe)
  const badge: Partial<Record<Screen, string>> = {
    collect: String(model.present.length || ""),
    train: BADGES[model.training.status] ?? "",
  }
  return (
    <>
      <a class="skip" href="#main">
        {text.skip}
      </a>
      <header class="top">
        <p class="brand">
          <span class="mark" aria-hidden="true" />
          {text.name}
        </p>
        <nav aria-label={text.name} class="steps">
          {screens.map((name) => (
            <a key={name} href={`#${name}`} aria-current={screen === name ? "page" : undefined}>
              <Icon name={name} />
              <span>{text.screens[name]}</span>
              {badge[name] ? <small class="badge">{badge[name]}</small> : null}
            </a>
          ))}
        </nav>
        <Theme />
      </header>
      <main id="main" tabIndex={-1}>
        {screen === "collect" && <Collect model={model} />}
        {screen === "describe" && <Describe model={model} />}
        {screen === "train" && <Train model={model} />}
        {screen === "look" && <Look model={model} />}
        {screen === "use" && <Use model={model} />}
      </main>
      <div class="notices" role="status">
        {model.notice && (
          <p class={model.notice.failure ? "notice failure" : "notice"}>
            <span>{model.notice.text}</span>
            {model.notice.action && (
              <button type="button" onClick={model.notice.action.run}>
                {model.notice.action.name}
              </button>
            )}
          </p>
        )}
      </div>
    </>
  )
}

const THEMES = ["auto", "light", "dark"] as const

function Theme() {
  const [theme, choose] = useState(() => localStorage.getItem("studio-theme") ?? "auto")
  useEffect(() => {
    document.documentElement.dataset.theme = theme
    localStorage.setItem("studio-theme", theme)
  }, [theme])
  return (
    <label class="theme">
      <span class="unseen">{text.theme.label}</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value)}>
        {THEMES.map((name) => (
          <option key={name} value={name}>
            {text.theme[name]}
          </option>
        ))}
      </select>
    </label>
  )
}

const PATHS: Record<Screen, string> = {
  collect: "M4 7h11v10H4zM15 11l5-3v8l-5-3",
  describe: "M4 5h16v11H9l-5 4z",
  train: "M4 19V5M4 19h16M7 8c2 6 6 8 12 8",
  look: "M4 12a8 8 0 1 1 16 0 8 8 0 0 1-16 0M12 12l4-4M12 4v3",
  use: "M7 4l12 8-12 8z",
}

function Icon({ name }: { name: Screen }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" class="icon">
      <path d={PATHS[name]} />
    </svg>
  )
}
