/** The page as a whole: bar, contents, sections of the chosen run, the clip that is open. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks"
import { AdviceList, HealthSection, Made } from "./about.tsx"
import { Confusion, Gains } from "./classes.tsx"
import { ClipDialog, ClipsProvider } from "./clips.tsx"
import { Compare } from "./compare.tsx"
import type { page } from "./data.ts"
import { Doubts, Examples, Mistakes, PseudoLabels } from "./examples.tsx"
import { Headline } from "./headline.tsx"
import { Maps } from "./maps.tsx"
import { Folds, Views } from "./tested.tsx"
import { Curves, Retrieval, Words } from "./training.tsx"
import { Calibration, Unknown } from "./trust.tsx"

const THEMES = ["auto", "light", "dark"] as const

export function App({ data }: { data: page.PageData }) {
  const [at, setAt] = useState(0)
  const [opened, setOpened] = useState<string | null>(null)
  const run = data.runs[Math.min(at, data.runs.length - 1)]
  const open = useCallback((id: string) => setOpened(id), [])
  const close = useCallback(() => setOpened(null), [])
  const clips = useMemo(() => ({ run, open }), [run, open])
  return (
    <ClipsProvider value={clips}>
      <a class="skip" href="#main">
        Skip to the report
      </a>
      <header class="bar">
        <h1>
          {run.name}
          <span>
            {run.title}
            {data.live ? " · live" : ""}
          </span>
        </h1>
        <Theme />
      </header>
      <div class="frame">
        <Contents key={`${at} ${run.results === null}`} />
        <main id="main" tabIndex={-1}>
          {data.runs.length > 1 ? <Compare runs={data.runs} at={at} choose={setAt} /> : null}
          <Sections key={at} run={run} />
          <footer class="source">
            Made by fourtier {data.fourtier} from the files in the run's folder; nothing is loaded from anywhere.
          </footer>
        </main>
      </div>
      {opened === null ? null : <ClipDialog id={opened} run={run} close={close} />}
    </ClipsProvider>
  )
}

function Sections({ run }: { run: page.RunData }) {
  return (
    <>
      <Headline run={run} />
      <AdviceList run={run} />
      <Words run={run} />
      <Folds run={run} />
      <Confusion run={run} />
      <Gains run={run} />
      <Mistakes run={run} />
      <Doubts run={run} />
      <PseudoLabels run={run} />
      <Calibration run={run} />
      <Unknown run={run} />
      <Examples run={run} />
      <Maps run={run} />
      <Retrieval run={run} />
      <Curves run={run} />
      <Views run={run} />
      <HealthSection run={run} />
      <Made run={run} />
    </>
  )
}

/** Links to the sections that are there, at the side or above them. */
function Contents() {
  const [entries, setEntries] = useState<{ id: string; title: string }[]>([])
  const [current, setCurrent] = useState("")
  useEffect(() => {
    const sections = [...document.querySelectorAll<HTMLElement>("main section[id]")]
    setEntries(sections.map(({ id }) => ({ id, title: document.getElementById(`${id}-title`)?.textContent ?? id })))
    const observer = new IntersectionObserver(
      (seen) => {
        const [top] = seen.filter(({ isIntersecting }) => isIntersecting)
        if (top) setCurrent(top.target.id)
      },
      { rootMargin: "-15% 0px -75% 0px" },
    )
    for (const section of sections) observer.observe(section)
    return () => observer.disconnect()
  }, [])
  const list = (
    <ol>
      {entries.map(({ id, title }) => (
        <li key={id}>
          <a href={`#${id}`} aria-current={current === id ? "true" : undefined}>
            {title}
          </a>
        </li>
      ))}
    </ol>
  )
  return (
    <>
      <nav class="side" aria-label="Contents">
        {list}
      </nav>
      <details class="contents plain">
        <summary>Contents</summary>
        <nav aria-label="Contents, at the top">{list}</nav>
      </details>
    </>
  )
}

function Theme() {
  const [theme, setTheme] = useState<(typeof THEMES)[number]>(remembered)
  useLayoutEffect(() => {
    document.documentElement.style.colorScheme = theme === "auto" ? "" : theme
    try {
      localStorage.setItem("fourtier-theme", theme)
    } catch {
      // a page from disk may not be allowed to remember anything
    }
  }, [theme])
  return (
    // biome-ignore lint/a11y/useSemanticElements: three buttons of which one is pressed, no form
    <div class="switch" role="group" aria-label="Colours">
      {THEMES.map((name) => (
        <button type="button" key={name} aria-pressed={theme === name} onClick={() => setTheme(name)}>
          {name}
        </button>
      ))}
    </div>
  )
}

function remembered(): (typeof THEMES)[number] {
  try {
    const found = localStorage.getItem("fourtier-theme")
    return THEMES.find((name) => name === found) ?? "auto"
  } catch {
    return "auto"
  }
}
