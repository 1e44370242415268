#!/usr/bin/env python3
"""Loads the conformance datasets into a server of its own and runs the native cases, or those of SQL or expressions.

    conformance.py [--only native|sql|expr] [--corpus DIR] [--cluster PORT]

Prints passed, failed and not applicable: a case is not applicable while it needs a feature of
not_built_yet.json. The corpus is looked for beside the checkout, in
shared/conformance; without it nothing runs, which is said loudly. With --cluster they are asked at a
broker of a cluster of processes, from that port on.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import harness
from storms.server import ClusterServer

HERE = os.path.dirname(os.path.abspath(__file__))
ANY = 'any value is right; Druid takes that of the row it meets first, here it is the least, whatever the order of rows'
TIED = 'rows of one time: Druid takes the last in the order of rows, here it is the greatest value, whatever that order'
NO_TIME = 'the expectation was computed without a time for the whole interval; here, as in Druid, it is the start of the data'
MISSPELT = 'the outer groupBy says `dimension`, which Druid reads over, so that nothing is grouped; here the name is refused'
EMPTY = 'rows of which no value is kept are grouped as null, as testGroupByDecorationOnNumerics expects'
CUT = 'two rows are expected of a statement without a limit: with sqlOuterLimit 2, which the case leaves out, they come'
REFUSED = 'Druid refuses the statement as well; the case expects no rows instead of an error'
PLACE = 'nulls are expected last, where testOrderByEarliestDouble expects them first in the same order'
# Where the expectation is one of several right answers, or cannot be met; why is said beside it.
EXPLAINED = {
    'native.plan.CalciteQueryTest.testAnyAggregatorsSkipNullsWithFilter': ANY,
    'native.plan.CalciteQueryTest.testAnyAggregatorsDoesNotSkipNulls': ANY,
    'native.GroupByQueryRunnerTest.testGroupByWithFirstLast': TIED,
    'native.it.wikipedia_index_queries_year_query_granularity.3': TIED,
    'native.TimeseriesQueryRunnerTest.testTimeseriesWithFirstLastAggregator': TIED,
    'native.TopNQueryRunnerTest.testTopNOverFirstLastFloatAggregatorUsingDoubleColumn': TIED,
    'native.GroupByQueryRunnerTest.testSubqueryWithFirstLast': TIED,
    'native.plan.CalciteJoinQueryTest.testExactTopNOnInnerJoinWithLimit': NO_TIME,
    'native.plan.CalciteJoinQueryTest.testJoinWithInputRefCondition': NO_TIME,
    'native.plan.CalciteSelectQueryTest.testAggregateFilterInTheAbsenceOfProjection': NO_TIME,
    'native.it.nestedquerypushdown_queries.1': MISSPELT,
    'native.it.nestedquerypushdown_queries.2': MISSPELT,
    'native.computed.dimspec.regexFiltered': EMPTY,
    'native.GroupByQueryRunnerTest.testGroupByCardinalityAggOnFloat':
        'the rows hold 9 distinct values; the expected 8.02 is a register collision of one hash function',
    'sql.CalciteQueryTest.testTopNLimitWrapping': CUT,
    'sql.CalciteQueryTest.testTopNLimitWrappingOrderByAgg': CUT,
    'sql.CalciteQueryTest.testGroupByLimitWrappingOrderByAgg': CUT,
    'sql.CalciteSelectQueryTest.testSelectLimitWrappingOnTopOfOffset': CUT,
    'sql.CalciteSelectQueryTest.testSelectLimitWrappingOnTopOfOffsetAndHighLimit': CUT,
    'sql.CalciteQueryTest.testTimeExtractWithTooFewArguments': REFUSED,
    'sql.CalciteQueryTest.testStringAggWithStringMaxBytes': REFUSED,
    'sql.CalciteQueryTest.testArrayAggWithStringMaxBytes': REFUSED,
    'sql.CalciteQueryTest.testAnyAggregatorsDoesNotSkipNulls': ANY,
    'sql.CalciteQueryTest.testAnyAggregatorsSkipNullsWithFilter': ANY,
    'sql.CalciteJoinQueryTest.testInnerJoinQueryOfLookup': ANY,
    'sql.CalciteQueryTest.testOrderByAnyFloat': PLACE,
    'sql.CalciteSelectQueryTest.testSelect1024pow4.1': 'BIGINT has 64 bits, in which 1024 * 1024 * 1024 * 1024 is not 0',
    'sql.CalciteSelectQueryTest.testSelectNonNumericNumberLiterals':
        'Infinity and NaN are no BIGINT: a cast gives null, where Java gives the largest number and 0',
    'sql.CalciteSelectQueryTest.testSelectCurrentTimeAndDateLosAngeles':
        "a DATE is printed in the session's zone like a TIMESTAMP; the expected one was made of days without a zone",
    'expr.FunctionTest.testArrayLength.82': 'documents are bound as ARRAY<LONG>, which they are not',
    'expr.FunctionTest.testArrayOrdinal.92': 'documents are bound as ARRAY<LONG>, which they are not',
    'expr.ApplyFunctionTest.testFilter.21': 'no element passes the filter: what is left is an array without elements, not null',
}
# Datasets of stored arrays and stored JSON, which columns do not hold yet: their statements are told apart.
STORED = {'arrays', 'nested', 'all_auto', 'all_auto_realtime', 'larry'}
NO_VALUE = 'it reads a name to which the case binds no value'


def reads_unbound(case):
    """Whether an expression reads names of which a case without bindings does not say the values."""
    if case['kind'] != 'expr' or case.get('bindings'):
        return False
    text = re.sub(r"'[^']*'", ' ', case['expression'])
    if '->' in text:
        return False
    names = re.findall(r'[A-Za-z_]\w*(?![\w(<])', text)
    return any(name.lower() != 'null' for name in names)


def explanations(kind, corpus):
    """Why cases cannot be met, by id: those that are listed, and those that tell too little."""
    why = dict(EXPLAINED)
    if kind == 'expr':
        with open(os.path.join(corpus, 'expressions.json'), encoding='utf-8') as file:
            why.update({case['id']: NO_VALUE for case in json.load(file) if reads_unbound(case)})
    return why


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--corpus', default=os.path.join(harness.ROOT, '..', 'shared', 'conformance'))
    parser.add_argument('--cluster', type=int, metavar='PORT')
    parser.add_argument('--only', default='native', choices=['native', 'sql', 'expr'])
    options = parser.parse_args()
    corpus = os.path.abspath(options.corpus)
    if not os.path.exists(os.path.join(corpus, 'run.py')):
        print(f'conformance: SKIPPED, there is no corpus at {corpus}')
        return 0
    with open(os.path.join(HERE, 'not_built_yet.json'), encoding='utf-8') as file:
        not_built = json.load(file)
    with tempfile.TemporaryDirectory(prefix='henge-conformance-') as data_dir:
        server = ClusterServer(options.cluster) if options.cluster else harness.Server(data_dir, log='error')
        server.start()
        try:
            subprocess.run([sys.executable, os.path.join(corpus, 'ingest.py'), '--url', server.url, '--lookups'],
                           stdout=subprocess.DEVNULL, check=False)
            out = os.path.join(data_dir, 'out.json')
            subprocess.run([sys.executable, os.path.join(corpus, 'run.py'), '--url', server.url, '--only', options.only, '--json', out],
                           stdout=subprocess.DEVNULL, check=False)
            with open(out, encoding='utf-8') as file:
                cases = json.load(file)['cases']
        finally:
            server.close() if options.cluster else server.stop()
    why = explanations(options.only, corpus)
    passed, failed, explained, not_applicable, early = [], [], [], 0, []
    for case in cases:
        missing = [f for f in case['features'] if f in not_built['features']] or case['dataset'] in not_built['datasets']
        if options.only == 'sql':
            missing = missing or STORED.intersection(case['dataset'].split(','))
        if case['ok']:
            passed.append(case)
            early += [case['id']] if missing else []
        elif missing:
            not_applicable += 1
        elif case['id'] in why:
            explained.append(case)
        else:
            failed.append(case)
    for case in failed:
        print(f"FAIL {case['id']}: {case['message'][:400]}")
    for case in explained:
        print(f"EXPLAINED {case['id']}: {why[case['id']]}")
    if early and options.only == 'native':
        print(f'passed although listed as not built (shrink the list): {len(early)}, for example {early[:3]}')
    print(f'conformance, {options.only}: {len(passed)} passed, {len(failed)} failed, {len(explained)} explained, {not_applicable} not applicable, of {len(cases)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
