#!/bin/sh
# The workloads of `chorus bench app`: "name ns" a line, each once. What is not installed has no line.
set -eu
work=$(mktemp -d /tmp/chorus-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME="$work" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C

# timed NAME COMMAND...: its output is not looked at, its failure is.
timed() {
    name=$1
    shift
    begin=$(date +%s%N)
    "$@" >/dev/null
    end=$(date +%s%N)
    echo "$name $((end - begin))"
}
has() { command -v "$1" >/dev/null 2>&1; }

if has gcc; then
    for i in 1 2 3 4 5; do
        {
            echo '#include <stdio.h>'
            echo '#include <stdlib.h>'
            echo '#include <string.h>'
            for k in 1 2 3 4 5 6 7 8 9; do
                echo "int f${i}_$k(int n) { int sum = 0; for (int at = 0; at < n; at++) sum += (int)strlen(getenv(\"HOME\")) * at; return sum; }"
            done
            [ $i -gt 1 ] || echo 'int main(void) { return f1_1(3) < 0; }'
        } >part$i.c
    done
    build() {
        for i in 1 2 3 4 5; do gcc -O1 -c part$i.c; done
        gcc -o program part*.o
    }
    build # what is read from the disk is there then, for both
    timed gcc-build build
fi

if has python3; then
    start() { python3 -c 'import json, re, argparse'; }
    start
    timed python-start start
fi

if has git; then
    mkdir repository
    cd repository
    for i in 0 1 2 3 4 5 6 7 8 9; do for k in 0 1 2 3 4 5 6 7 8 9; do mkdir -p "$i/$k"; done; done
    for i in 0 1 2 3 4 5 6 7 8 9; do for k in 0 1 2 3 4 5 6 7 8 9; do
        (cd $i/$k && seq 50 | xargs touch)
    done; done
    git init -q .
    timed git-add git add .
    git -c user.name=bench -c user.email=bench@localhost commit -q -m all
    git status >/dev/null
    timed git-status git status
    cd ..
fi

if has sqlite3; then
    {
        echo 'create table t(id integer primary key, a text, b integer);'
        echo 'begin;'
        seq 5000 | sed "s/.*/insert into t(a, b) values('row &', & * 7 % 1000);/"
        echo 'commit;'
        echo 'create index i on t(b);'
        seq 20 | sed "s/.*/insert into t(a, b) values('single &', &);/"
        echo 'select b, count(*) from t group by b order by 2 desc limit 5;'
    } >inserts.sql
    insert() { sqlite3 base.db <inserts.sql; }
    timed sqlite-inserts insert
fi

# 20,000 names, of 2,000 files: what is measured is the walk.
mkdir many many/0
cd many
(cd 0 && seq 2000 | xargs touch)
for i in 1 2 3 4 5 6 7 8 9; do
    mkdir $i
    ln 0/* $i/
done
cd ..
find many >/dev/null
timed find-20000 find many -type f -newer /proc/self/exe -size -1
