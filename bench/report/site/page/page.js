'use strict';
// Shows one page at a time, sorts, filters and draws. What is on the page was written before; without this script all of it shows.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const FILTERS = {domain: 'd', task: 't', method: 'm', density: 'p', verdict: 'v'};
  const RUN = ['tickets', 'strangers', 'tasks']; // tables of what has records
  const OFFERED = {domain: RUN, task: RUN, method: RUN, verdict: ['claims']}; // whose names can be asked for
  const FEW = 5; // methods in colour where none of the usual ones was run
  const KEYS = 3; // columns that an order remembers
  const NUMBER = /^([+-]?[\d.,]+(?:e[+-]?\d+)?)(?: \[([+-]?[\d.,]+(?:e[+-]?\d+)?), ([+-]?[\d.,]+(?:e[+-]?\d+)?)\])?(?: (.+))?$/i; // value, low, high, note
  const form = $('.filters'), first = $('.page');
  const collator = new Intl.Collator('en', {numeric: true});
  let page = null, anchor = '', drawn = [], lit = null; // places of the methods in colour; null: the few

  // The link: #anchor?domain=rl&density=10&sort.tickets=4,-9
  function parse() {
    const [head, query = ''] = location.hash.slice(1).split('?');
    try { return [decodeURIComponent(head), new URLSearchParams(query)]; } catch { return ['', new URLSearchParams()]; }
  }

  function chosen() {
    return Object.keys(FILTERS).map(name => [name, form.elements[name].value.trim()]).filter(([, value]) => value);
  }

  function remember() {
    const found = new URLSearchParams(chosen()), filters = found.toString();
    for (const table of $$('table.sortable', page)) if (table.order?.length) found.set(`sort.${table.dataset.key}`, table.order.join(','));
    const query = found.toString().replaceAll('%2C', ',');
    if (location.hash || query) history.replaceState(null, '', `#${anchor}${query && `?${query}`}`); // a bare link stays bare: the keyboard starts at the top
    for (const link of $$('nav a, .squares a')) link.hash = link.hash.slice(1).split('?')[0] + (filters && `?${filters}`);
  }

  // Records are text until somebody asks for them: a hundred thousand lines would make every page slow.
  function unfold(folded) {
    const box = document.createElement('div');
    box.innerHTML = folded.textContent;
    const button = folded.nextElementSibling;
    if (button?.matches('.unfold')) button.remove();
    folded.replaceWith(box);
    dress(box);
  }

  function find(id) {
    if (!id) return null;
    const found = document.getElementById(id);
    if (found || !/^[\w.-]+$/.test(id)) return found;
    const folded = $$('.page noscript').find(each => each.textContent.includes(`id="${id}"`));
    if (!folded) return null;
    unfold(folded);
    return document.getElementById(id);
  }

  function route() {
    const [id, query] = parse();
    const target = find(id) ?? first, next = target.closest('.page') ?? first;
    target.closest('details')?.setAttribute('open', '');
    anchor = id && target.id === id ? id : first.id;
    for (const each of $$('.here')) each.classList.remove('here');
    if (page !== next) { page?.classList.remove('on'); next.classList.add('on'); page = next; lit = null; }
    dress(page);
    for (const name of Object.keys(FILTERS)) take(form.elements[name], query.get(name) ?? '');
    for (const table of $$('table.sortable', page)) {
      const order = (query.get(`sort.${table.dataset.key}`) ?? '').split(',').map(Number).filter(Number.isInteger).filter(Boolean);
      if (order.length || table.order?.length) sort(table, order);
    }
    for (const link of $$('nav a')) link.hash.slice(1).split('?')[0] === (page.matches('.board') ? page.id : 'tasks') ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
    filter();
    remember();
    draw();
    document.title = page === first ? 'Ticket Bench' : `${$('h2', page).textContent} · Ticket Bench`;
    if (target === page || target === first) { scrollTo(0, 0); if (started) focus(page); }
    else { target.classList.add('here'); target.scrollIntoView({block: 'center'}); focus(target); }
    started = true;
  }
  let started = false;

  function focus(element) {
    element.tabIndex = -1;
    element.focus({preventScroll: true});
  }

  function take(control, value) {
    if (control.options && value && ![...control.options].some(option => option.value === value)) value = '';
    control.value = value;
  }

  // Buttons exist only where the script that obeys them runs.
  function dress(root) {
    for (const folded of $$('noscript', root)) {
      if (folded.nextElementSibling?.matches('.unfold')) continue;
      const button = Object.assign(document.createElement('button'), {className: 'unfold', type: 'button', textContent: 'Show the records'});
      button.addEventListener('click', () => { unfold(folded); filter(); });
      folded.after(button);
    }
    for (const table of $$('.wide table', root)) {
      if (!table.closest('.wide').nextElementSibling?.matches('.downloads')) offer(table);
    }
    for (const table of $$('table.sortable', root)) {
      if (table.dressed) continue;
      table.dressed = true;
      table.order = [];
      $$('thead th', table).forEach((head, place) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.append(...head.childNodes);
        button.addEventListener('click', () => { press(table, place + 1); remember(); });
        head.append(button);
      });
    }
  }

  // What a table shows, as a file: made here, so that the page does not carry every number twice.
  function offer(table) {
    const box = document.createElement('div');
    box.className = 'downloads';
    for (const [name, kind, write] of [['CSV', 'text/csv', csv], ['JSON', 'application/json', json]]) {
      const button = Object.assign(document.createElement('button'), {type: 'button', textContent: name, title: `This table as ${name}`});
      button.addEventListener('click', () => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(new Blob([write(table)], {type: kind}));
        link.download = `${page.id}-${table.dataset.key}.${name.toLowerCase()}`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href));
      });
      box.append(button);
    }
    table.closest('.wide').after(box);
  }

  // The heading of a group of rows becomes their first field; a number with its interval is three, what stands behind it a note.
  function fields(table) {
    const told = cell => cell.textContent.replace(/\s+/g, ' ').trim(), group = row => $('th[scope=rowgroup]', row.parentElement);
    const rows = [...table.tBodies].flatMap(each => [...each.rows]).filter(row => !row.hidden && !row.contains(group(row)));
    const found = $$('thead th', table).flatMap((head, place) => {
      const texts = rows.map(row => told(row.cells[place]));
      return head.classList.contains('n') ? numbers(told(head).replace(' [low, high]', ''), texts) : [[told(head), texts]];
    });
    return $('th[scope=rowgroup]', table) ? [['group', rows.map(row => told(group(row)))], ...found] : found;
  }

  function numbers(name, texts) {
    const read = text => text && Number(text.replaceAll(',', '')), parts = texts.map(text => NUMBER.exec(text) ?? [, , , , text]);
    const several = [[name, 1], [`${name} low`, 2], [`${name} high`, 3]].map(([head, part]) => [head, parts.map(each => read(each[part]) ?? null)]);
    return [...several, [`${name} note`, parts.map(each => each[4] || null)]].filter(([head, cells]) => head === name || cells.some(cell => cell !== null));
  }

  // A spreadsheet must not take a name for a formula.
  function csv(table) {
    const found = fields(table);
    const field = cell => { const safe = typeof cell === 'string' && /^[=+@＝＋－＠\t\r-]/.test(cell) ? `'${cell}` : String(cell ?? ''); return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe; };
    return [found.map(([head]) => head), ...found[0][1].map((_, row) => found.map(([, cells]) => cells[row]))].map(row => `${row.map(field).join(',')}\r\n`).join('');
  }

  function json(table) {
    const found = fields(table);
    return JSON.stringify(found[0][1].map((_, row) => Object.fromEntries(found.map(([head, cells]) => [head, cells[row]]))), null, 1);
  }

  function press(table, column) {
    const now = table.order[0], rest = table.order.filter(each => Math.abs(each) !== column);
    sort(table, now === column ? [-column, ...rest] : now === -column ? rest : [column, ...rest]);
  }

  function sort(table, order) {
    const body = table.tBodies[0], heads = $$('thead th', table);
    table.order = order.filter(each => Math.abs(each) <= heads.length).slice(0, KEYS);
    table.rowsAsWritten ??= [...body.rows];
    const keyed = table.rowsAsWritten.map(row => [row, table.order.map(column => key(row.cells[Math.abs(column) - 1], heads[Math.abs(column) - 1]))]);
    keyed.sort(([, a], [, b]) => {
      for (const [place, column] of table.order.entries()) {
        const found = compare(a[place], b[place], Math.sign(column));
        if (found) return found;
      }
      return 0;
    });
    body.append(...keyed.map(([row]) => row));
    heads.forEach((head, place) => {
      const now = table.order[0];
      if (Math.abs(now) === place + 1) head.setAttribute('aria-sort', now > 0 ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    });
  }

  function key(cell, head) {
    const text = cell.textContent.trim();
    if (!head.classList.contains('n')) return text || null;
    const number = /^[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(text);
    return number ? Number(number[0].replaceAll(',', '')) : null;
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null); // nothing comes last in either direction
    return sign * (typeof a === 'number' ? a - b : collator.compare(a, b));
  }

  function filter() {
    const asked = chosen().map(([name, value]) => [FILTERS[name], value]);
    let all = 0, left = 0;
    for (const table of $$('table.sortable', page)) {
      const rows = [...table.tBodies[0].rows], dense = rows.some(row => 'p' in row.dataset);
      for (const row of rows) {
        row.hidden = !asked.every(([name, value]) => name === 'p' ? !dense || Number(row.dataset.p ?? Infinity) <= Number(value) + 1e-9
          : !(name in row.dataset) || row.dataset[name].split('\n').includes(value));
        all += 1;
        left += !row.hidden;
      }
    }
    for (const folded of $$('.paper', page)) narrow(folded, asked.length > 0);
    for (const label of $$('label', form)) label.hidden = !$(`tr[data-${label.dataset.of}]`, page) || ('dtv'.includes(label.dataset.of) && !page.matches('.board'));
    form.hidden = $$('label', form).every(label => label.hidden);
    form.elements.length && ($('output', form).textContent = asked.length ? `${left} of ${all} rows${left ? '' : ': nothing here fits these filters'}` : '');
  }

  // A paper's squares and its count are those of the claims that are left.
  function narrow(paper, asked) {
    const rows = $$('tbody tr', paper), left = rows.filter(row => !row.hidden), told = $('summary small', paper);
    told.dataset.all ??= told.textContent;
    told.textContent = asked ? `${left.length} of ${rows.length} claims` : told.dataset.all;
    for (const square of $$('.square', paper)) square.hidden = document.getElementById(square.hash.slice(1).split('?')[0]).hidden;
    paper.hidden = !left.length;
  }

  // Charts. Names are data and labels in them; every field and expression is written here.
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function config() {
    const axis = {labelColor: colour('soft'), titleColor: colour('soft'), gridColor: colour('line'), domainColor: colour('line'), tickColor: colour('line'), titleFontWeight: 400, labelFontSize: 11, titleFontSize: 12};
    return {background: 'transparent', axis, legend: {labelColor: colour('soft'), labelFontSize: 11}, view: {stroke: null}, font: 'system-ui, sans-serif', aria: false};
  }

  function values(told) {
    const last = Math.max(told.methods.length - 1, 1), spread = Math.min(.3, .04 * told.methods.length);
    return told.arms.map(([m, level, d, v, lo, hi, cost, a, seeds]) => ({
      m: told.methods[m].name, place: m, level, d: 100 * d, x: 100 * d * 2 ** (-spread * (m / last - .5)), v, lo, hi, cost, a, seeds,
      w: told.methods[m].main ? 2.2 : 1.2,
    }));
  }

  function figure(told, {x, title, range}) {
    const rows = values(told), bright = rows.filter(row => lit.has(row.place)), grey = rows.filter(row => !lit.has(row.place)), names = told.methods.map(each => each.name), log = x === 'x';
    const seeds = bright.flatMap(row => row.seeds.map(([s, v]) => ({m: row.m, x: row.x, cost: row.cost, d: row.d, level: row.level, s, v, a: row.a})));
    const color = {field: 'm', type: 'nominal', legend: null, scale: {domain: [...names, 'dense'], range: [...told.methods.map((each, place) => colour(lit.has(place) ? each.colour : 'rest')), colour('dense')]}};
    const dash = {field: 'm', type: 'nominal', legend: null, scale: {domain: [...names, 'dense'], range: [...told.methods.map(each => each.dash), [1, 0]]}};
    const base = {x: {field: x, type: 'quantitative', title, scale: {type: 'log', ...(log && {base: 2, reverse: true}), nice: false, domain: span([...rows.map(row => row[x]), log ? 100 : told.dense?.[3]], log ? 1.25 : 1.15)},
      axis: log ? {values: octaves(rows), format: '.3~g'} : {format: '~s', tickCount: 5}}, color};
    const y = {field: 'v', type: 'quantitative', title: told.score, scale: {domain: range, nice: false, zero: false}};
    const about = [{field: 'm', type: 'nominal', title: 'method'}, {field: 'level', type: 'quantitative'}, {field: 'd', type: 'quantitative', title: 'density %', format: '.3g'}];
    const score = {field: 'v', type: 'quantitative', title: 'score', format: '.5g'};
    const bounds = [{field: 'lo', type: 'quantitative', title: 'low', format: '.5g'}, {field: 'hi', type: 'quantitative', title: 'high', format: '.5g'}, {field: 'cost', type: 'quantitative', title: 'search cost', format: ','}];
    const still = colour('dense'), layer = [];
    const curves = some => {
      layer.push({data: {values: some}, mark: {type: 'line', clip: true}, encoding: {...base, y, strokeDash: dash, strokeWidth: {field: 'w', type: 'quantitative', scale: null}, order: {field: 'd', sort: 'descending', type: 'quantitative'}}});
      layer.push({data: {values: some}, mark: {type: 'point', filled: true, size: 42, opacity: 1, clip: true, cursor: 'pointer'}, encoding: {...base, y, tooltip: [...about, score, ...bounds]}});
    };
    if (told.dense) {
      const [v, lo, hi, cost, a, own] = told.dense;
      seeds.push(...own.map(([s, score]) => ({m: 'dense', x: 100, cost, d: 100, level: 0, s, v: score, a})));
      if (lo !== null) layer.push({data: {values: [{lo, hi}]}, mark: {type: 'rect', color: still, opacity: .14, clip: true}, encoding: {y: {...y, field: 'lo'}, y2: {field: 'hi'}}});
      layer.push({data: {values: [{v, m: 'dense'}]}, mark: {type: 'rule', color: still, clip: true, tooltip: true}, encoding: {y, tooltip: [about[0], score]}});
      layer.push({data: {values: [{v: v + told.worse * told.tolerance}]}, mark: {type: 'rule', color: still, strokeDash: [3, 3], clip: true}, encoding: {y}});
    }
    curves(grey);
    layer.push({data: {values: seeds}, mark: {type: 'point', shape: 'stroke', size: 60, opacity: .55, clip: true}, encoding: {...base, y, tooltip: [...about, {field: 's', type: 'quantitative', title: 'seed'}, score]}});
    layer.push({data: {values: bright.filter(row => row.lo !== null)}, mark: {type: 'rule', opacity: .8, clip: true}, encoding: {...base, y: {...y, field: 'lo'}, y2: {field: 'hi'}}});
    curves(bright);
    return {width: 'container', height: 300, autosize: {type: 'fit-x', contains: 'padding'}, layer, config: config()};
  }

  function span(found, pad) {
    const known = found.filter(value => value > 0);
    return known.length ? [Math.min(...known) / pad, Math.max(...known) * pad] : [1, 100];
  }

  function octaves(rows) {
    const lowest = Math.min(100, ...rows.map(row => row.d)), count = Math.ceil(-Math.log2(lowest / 100)), step = Math.ceil((count + 1) / 7) || 1;
    return Array.from({length: Math.floor(count / step) + 1}, (_, place) => 100 / 2 ** (place * step));
  }

  function draw() {
    for (const each of drawn) each.finalize();
    drawn = [];
    drawScores();
    drawNodes();
  }

  function told(kind) {
    const source = document.getElementById(`${page.id}.${kind}`);
    return source && (source.told ??= JSON.parse(source.textContent));
  }

  function drawScores() {
    const box = $('.charts', page), found = told('chart'), method = form.elements.method.value;
    if (!found) return;
    lit ??= few(found.methods, method);
    const [whole, near] = found.ranges, density = 'density: prunable weights kept, %';
    const wanted = [['Score over density', {x: 'x', title: density, range: whole}], ...(near ? [['The same, near dense', {x: 'x', title: density, range: near}]] : []),
      ['Score over search cost', {x: 'cost', title: 'search cost: updates, ancestors included', range: near ?? whole}]];
    box.replaceChildren(legend(found), ...wanted.map(([name]) => frame(name)));
    $$('.chart', box).forEach((chart, place) => embed(chart, wanted[place][0], 'its numbers are in the table below', figure(found, wanted[place][1])));
  }

  // Fifteen lines in fifteen colours tell nothing: the rest is grey until somebody asks for it.
  function few(methods, method) {
    const places = methods.map((_, place) => place), chosen = places.filter(place => method ? methods[place].name === method : methods[place].few);
    return new Set(chosen.length ? chosen : places.slice(0, FEW));
  }

  function drawNodes() {
    const box = $('.nodes', page), found = told('nodes');
    if (!found) return;
    const wanted = nodeCharts(found, colour, config());
    box.replaceChildren(...wanted.flatMap(({title, about, panels}) => {
      const head = document.createElement('h3'), text = document.createElement('p'), grid = document.createElement('div');
      head.textContent = title;
      text.textContent = about;
      text.className = 'facts';
      grid.className = 'charts small';
      grid.append(...panels.map(panel => frame(panel.title)));
      return [head, text, grid];
    }));
    const panels = wanted.flatMap(each => each.panels.map(panel => [`${each.title}: ${panel.title}`, panel.spec]));
    $$('.chart', box).forEach((chart, place) => embed(chart, panels[place][0], 'its numbers are in the records', panels[place][1]));
  }

  function frame(name) {
    const made = document.createElement('figure'), caption = document.createElement('figcaption'), chart = document.createElement('div');
    caption.textContent = name;
    chart.className = 'chart';
    made.append(caption, chart);
    return made;
  }

  function embed(chart, name, where, spec) {
    const drawing = page;
    chart.setAttribute('role', 'img');
    chart.setAttribute('aria-label', `${name}; ${where}.`);
    vegaEmbed(chart, spec, {mode: 'vega-lite', ast: true, actions: false, defaultStyle: false, renderer: 'svg', tooltip: {disableDefaultStyle: true}}).then(made => {
      if (page !== drawing) return made.finalize();
      drawn.push(made);
      made.view.addEventListener('click', (_, item) => { if (item?.datum?.a && item.mark.marktype === 'symbol') location.hash = item.datum.a; });
    });
  }

  // Every method as a button, then what is drawn of dense.
  function legend(told) {
    const list = document.createElement('ul');
    list.className = 'legend';
    const entry = (...parts) => { const item = document.createElement('li'); item.append(...parts); list.append(item); };
    told.methods.forEach((each, place) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.setAttribute('aria-pressed', lit.has(place));
      button.append(stroke({stroke: colour(lit.has(place) ? each.colour : 'rest'), 'stroke-width': each.main ? 3 : 2, 'stroke-dasharray': each.dash.join(' ')}), each.name);
      button.addEventListener('click', () => {
        lit.has(place) ? lit.delete(place) : lit.add(place);
        draw();
        $$('.legend button', page)[place].focus();
      });
      entry(button);
    });
    if (told.dense) {
      const still = colour('dense');
      entry(stroke({stroke: still, 'stroke-width': 1.5}), 'dense');
      if (told.dense[1] !== null) entry(stroke({stroke: still, 'stroke-width': 10, opacity: .2}), 'its 95 % interval');
      entry(stroke({stroke: still, 'stroke-width': 1.5, 'stroke-dasharray': '3 3'}), 'dense less the tolerance');
    }
    entry('Press a method to colour it, or to make it grey; in grey several are dashed alike.');
    return list;
  }

  function stroke(look) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
    for (const [name, value] of Object.entries({width: 26, height: 10, 'aria-hidden': true})) svg.setAttribute(name, value);
    for (const [name, value] of Object.entries({x1: 0, x2: 26, y1: 5, y2: 5, ...look})) line.setAttribute(name, value);
    svg.append(line);
    return svg;
  }

  function options(name) {
    const known = new Set($$(`.page tr[data-${FILTERS[name]}]`).filter(row => OFFERED[name].includes(row.closest('table').dataset.key.split('-')[0])).flatMap(row => row.dataset[FILTERS[name]].split('\n')));
    for (const value of [...known].filter(Boolean).sort(collator.compare)) form.elements[name].append(new Option(value, value));
  }

  Object.keys(OFFERED).forEach(options);
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', () => { lit = null; filter(); remember(); draw(); });
  form.addEventListener('reset', () => setTimeout(() => { lit = null; filter(); remember(); draw(); }));
  $('.skip').addEventListener('click', event => { event.preventDefault(); focus($('main')); });
  addEventListener('hashchange', route);
  matchMedia('(prefers-color-scheme:dark)').addEventListener('change', draw);
  route();
})();
