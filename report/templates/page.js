'use strict';
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  document.documentElement.classList.add('js');

  // Candidates, shown or hidden in every figure at once.
  const toggles = document.getElementById('toggles');
  if (toggles) {
    const series = new Map();
    for (const group of all('g.series')) {
      const name = group.dataset.mechanism;
      if (!series.has(name)) series.set(name, []);
      series.get(name).push(group);
    }
    const boxes = all('input', toggles);
    const show = (box) => {
      for (const group of series.get(box.value) || []) group.classList.toggle('off', !box.checked);
    };
    // The colour of its series, which is another one on a dark ground.
    const paint = () => {
      for (const box of boxes) {
        const [group] = series.get(box.value) || [];
        if (group) box.nextElementSibling.style.background = getComputedStyle(group).color;
      }
    };
    // A browser may remember what was checked before the page was loaded again.
    boxes.forEach(show);
    paint();
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
    toggles.addEventListener('change', (event) => show(event.target));
    toggles.addEventListener('submit', (event) => event.preventDefault());
    for (const button of all('button', toggles)) {
      button.addEventListener('click', () => {
        for (const box of boxes) {
          box.checked = button.dataset.show === 'all';
          show(box);
        }
      });
    }
    toggles.hidden = false;
  }

  // Tables in another order: by numbers where a column has them, else by words; what is absent comes last.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return cell.textContent.trim() === '–' ? null : cell.textContent.trim();
  };
  const compare = (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    return String(a).localeCompare(String(b), 'en', { numeric: true });
  };
  const sort = (table, column, descending) => {
    const rows = Array.from(table.tBodies[0].rows).map((row) => [valueOf(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return descending ? compare(b, a) : compare(a, b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of all('.sortable table')) {
    const headings = all('thead th', table);
    headings.forEach((heading, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener('click', () => {
        const descending = heading.getAttribute('aria-sort') === 'ascending';
        for (const other of headings) other.removeAttribute('aria-sort');
        heading.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
        sort(table, column, descending);
      });
    });
  }

  // The value of the point that is closest to the pointer, at once, where a title would take a second.
  const tip = document.getElementById('tip');
  const REACH = 16;
  const pointsOf = (svg) => all('.point', svg).map((point) => {
    const title = point.querySelector('title');
    const text = title ? title.textContent : '';
    if (title) title.remove();
    return { point, text, box: null };
  });
  const distanceTo = (candidate, at) => {
    // What is not drawn has no box, so it is measured when it is first asked for while shown.
    if (!candidate.box) candidate.box = candidate.point.getBBox();
    const { x, y, width, height } = candidate.box;
    return Math.hypot(x + width / 2 - at.x, y + height / 2 - at.y);
  };
  for (const svg of all('figure svg')) {
    const title = svg.querySelector(':scope > title');
    if (title) {
      svg.setAttribute('aria-label', title.textContent);
      title.remove();
    }
    let points = null;
    svg.addEventListener('pointermove', (event) => {
      if (!points) points = pointsOf(svg);
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      let nearest = null;
      let least = REACH;
      for (const candidate of points) {
        if (!candidate.text || candidate.point.closest('.off')) continue;
        const distance = distanceTo(candidate, at);
        if (distance < least) {
          nearest = candidate;
          least = distance;
        }
      }
      tip.hidden = !nearest;
      if (!nearest) return;
      tip.textContent = nearest.text;
      const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
      const top = event.clientY + 18 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18;
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${top}px`;
    });
    svg.addEventListener('pointerleave', () => { tip.hidden = true; });
  }

  // A link to something within closed details opens them.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === 'DETAILS') part.open = true;
  };
  window.addEventListener('hashchange', reveal);
  reveal();
})();
