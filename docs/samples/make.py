#!/usr/bin/env python3
"""Writes visits.csv, the sample of docs/getting-started.md: three days of visits to three made-up shops.

The same numbers come out each time; the answers in docs/getting-started.md are of them.
"""
import csv
import datetime
import random
import sys

FIELDS = ['time', 'visitor', 'shop', 'page', 'country', 'device', 'referrer', 'event', 'load_ms', 'revenue']
START = datetime.datetime(2026, 1, 1)
VISITS, VISITORS = 400, 150
COUNTRIES = ['DE', 'FR', 'PL', 'NL', 'SE']
DEVICES = {'phone': 0.6, 'desktop': 0.3, 'tablet': 0.1}
REFERRERS = ['', 'search', 'search', 'newsletter', 'social']
PAGES = ['/', '/', '/products', '/products', '/pricing', '/docs', '/about']


def visit(chance, number):
    """The events of one visit, one after the other."""
    # More by day than by night.
    hour = min(23, max(0, round(chance.gauss(14, 4))))
    time = START + datetime.timedelta(days=number * 3 // VISITS, hours=hour, seconds=chance.randrange(3600))
    visitor = int(VISITORS * chance.random() ** 2)
    device = chance.choices(list(DEVICES), DEVICES.values())[0]
    same = {'visitor': f'v{visitor:03}', 'shop': chance.choices(['books', 'garden', 'toys'], [5, 3, 2])[0],
            'country': COUNTRIES[visitor % len(COUNTRIES)], 'device': device, 'referrer': chance.choice(REFERRERS)}
    slow = 1.6 if device == 'phone' else 1.0
    for _ in range(1 + int(chance.expovariate(0.8))):
        bought = chance.random() < 0.08
        yield {**same, 'time': time.isoformat() + 'Z', 'page': '/checkout' if bought else chance.choice(PAGES),
               'event': 'purchase' if bought else 'view', 'load_ms': round(chance.lognormvariate(4.5, 0.6) * slow),
               'revenue': f'{chance.randrange(500, 9000) / 100:.2f}' if bought else ''}
        time += datetime.timedelta(seconds=chance.randrange(5, 300))


def main():
    chance = random.Random(7)
    events = sorted((event for number in range(VISITS) for event in visit(chance, number)), key=lambda e: e['time'])
    out = csv.DictWriter(sys.stdout, FIELDS, lineterminator='\n')
    out.writeheader()
    out.writerows(events)


if __name__ == '__main__':
    main()
