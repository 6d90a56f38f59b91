/// How a report looks: on a screen of any width, in the dark, on paper.
enum ReportStyle {
    static let sheet = """
        :root {
          --ink: #1b1f24; --soft: #5b6470; --line: #d9dee5; --paper: #ffffff; --well: #f5f7f9; --mark: #8a3b12;
          --c0: #2f6fde; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #0b7285; --c6: #c2255c;
          --c7: #5b6470;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --ink: #e6e9ee; --soft: #9aa5b1; --line: #333b45; --paper: #14181d; --well: #1b2027; --mark: #f0a978;
            --c0: #74a7ff; --c1: #ff9057; --c2: #69db7c; --c3: #da8fef; --c4: #ffd43b; --c5: #3bc9db; --c6: #faa2c1;
            --c7: #9aa5b1;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
        }
        main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
        header { border-bottom: 3px solid var(--ink); margin-bottom: 8px; }
        .kicker { margin: 0; color: var(--mark); font-weight: 600; letter-spacing: .06em; text-transform: uppercase;
          font-size: 12px; }
        h1 { margin: 0; font-size: 32px; line-height: 1.2; overflow-wrap: anywhere; }
        .lead { margin: 4px 0 12px; font-size: 18px; color: var(--soft); }
        dl { display: flex; flex-wrap: wrap; margin: 0 0 16px; gap: 4px 28px; }
        dt { color: var(--soft); margin-right: -20px; }
        dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
        h2 { margin: 36px 0 10px; font-size: 21px; overflow-wrap: anywhere; }
        h3 { margin: 22px 0 4px; font-size: 15px; }
        .wide { overflow-x: auto; max-width: 100%; margin: 6px 0 12px; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
        th, td { padding: 5px 12px 5px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
        th { font-weight: 600; text-align: left; }
        thead th { color: var(--soft); font-weight: 500; text-align: right; border-bottom: 1px solid var(--soft); }
        thead th:first-child { text-align: left; }
        code { font: 12px ui-monospace, Menlo, Consolas, monospace; }
        .keys { margin: 0 0 4px; font-size: 12.5px; color: var(--soft); line-height: 2; }
        .note { color: var(--soft); font-size: 13.5px; }
        .chip { border-radius: 3px; padding: 1px 6px; margin-left: 8px; font-size: 11.5px; white-space: nowrap;
          -webkit-print-color-adjust: exact; print-color-adjust: exact; }
        svg { display: block; }
        .map text { font-size: 10px; text-anchor: middle; font-family: ui-monospace, Menlo, Consolas, monospace; }
        .map .name { font-size: 11px; text-anchor: end; fill: var(--ink); }
        .map .axis, .chart .axis { fill: var(--soft); }
        .map g:hover rect { stroke: var(--ink); stroke-width: 1.5; }
        figure { margin: 6px 0 14px; background: var(--well); border-radius: 8px; padding: 12px; }
        figcaption { font-size: 13px; color: var(--soft); }
        .chart { width: 100%; max-width: 860px; height: auto; }
        .chart text { font-size: 11.5px; }
        .chart .mark { fill: currentColor; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .line { fill: none; stroke-width: 2; stroke: currentColor; }
        .dot { fill: currentColor; }
        .key::before { content: "●"; margin: 0 4px 0 12px; }
        .key { white-space: nowrap; font-weight: 600; }
        .c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
        .c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
        details { margin: 10px 0; }
        summary { cursor: pointer; color: var(--soft); }
        @media (max-width: 640px) { figure { overflow-x: auto; } .chart { min-width: 560px; } }
        @media (max-width: 640px) { main { padding: 20px 14px 40px; } h1 { font-size: 25px; } body { font-size: 14px; } }
        @media print {
          @page { margin: 14mm; }
          body { font-size: 10.5pt; }
          main { max-width: none; padding: 0; }
          section { break-inside: auto; }
          h2, h3, .keys { break-after: avoid; }
          figure, .map, tr { break-inside: avoid; }
          .map { max-width: 100%; height: auto; }
          .wide { overflow: visible; }
          details:not([open]) { display: none; }
        }

        """
}
