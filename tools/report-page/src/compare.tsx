/** Several runs side by side. */

import { methodOf, type page, pathOf, SHUFFLED, wholeTables } from "./data.ts"
import { Difference, Range, Scroll, Section, Source, Val } from "./parts.tsx"

export function Compare({
  runs,
  at,
  choose,
}: {
  runs: readonly page.RunData[]
  at: number
  choose: (i: number) => void
}) {
  return (
    <Section
      id="runs"
      title="Runs side by side"
      lead="One row for each run and test part. Whether two runs differ by more than chance takes a paired test on the same clips: fourtier compare."
    >
      <Scroll label="Runs side by side">
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">run</th>
              <th scope="col">test</th>
              <th scope="col" class="n">
                clips
              </th>
              <th scope="col">method</th>
              <th scope="col" class="n">
                top-1 %
              </th>
              <th scope="col" class="n">
                over baseline
              </th>
              <th scope="col" class="n">
                words add
              </th>
            </tr>
          </thead>
          <tbody>
            {runs.flatMap((run, i) =>
              wholeTables(run).map((split) => {
                const own = methodOf(split, run.results?.reference ?? "")
                const [baseline, control] = [methodOf(split, "baseline"), methodOf(split, SHUFFLED)]
                const top1 = own?.figures.top1
                return (
                  <tr key={`${i} ${split.split}`} class={i === at ? "own" : ""}>
                    <th scope="row">
                      <button type="button" class="button" aria-pressed={i === at} onClick={() => choose(i)}>
                        {run.name}
                      </button>
                    </th>
                    <td>{split.split}</td>
                    <td class="n">{split.clips}</td>
                    <td>{own?.method ?? "–"}</td>
                    <td class="n">
                      {own && top1 ? (
                        <>
                          <Val n={top1.value} from={`${run.name}/${pathOf(split, own)}.figures.top1.value`} />{" "}
                          <Range interval={top1} from={`${run.name}/${pathOf(split, own)}.figures.top1`} />
                        </>
                      ) : (
                        "–"
                      )}
                    </td>
                    <td class="n">
                      {baseline?.difference?.top1 ? (
                        <Difference
                          interval={baseline.difference.top1}
                          from={`${run.name}/${pathOf(split, baseline)}.difference.top1`}
                        />
                      ) : (
                        "–"
                      )}
                    </td>
                    <td class="n">
                      {control?.difference?.top1 ? (
                        <Difference
                          interval={control.difference.top1}
                          from={`${run.name}/${pathOf(split, control)}.difference.top1`}
                        />
                      ) : (
                        "–"
                      )}
                    </td>
                  </tr>
                )
              }),
            )}
          </tbody>
        </table>
      </Scroll>
      <Source>
        <code>results.json</code> of each run. The sections below show the run that is chosen here.
      </Source>
    </Section>
  )
}
