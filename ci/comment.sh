#!/bin/sh
# comment.sh SUMMARY: post a gate's summary on the pull request of the run that made it. For the job with the token.
#
# The file comes from a job that ran untrusted code, so anything may be in it. The comment says so above it, the file's
# text stays in a quotation, and it has no links, images, mentions or HTML. The pull request is taken from GitHub's event,
# never from the file.
# Environment: GH_TOKEN, REPOSITORY (owner/name), HEAD_OWNER, HEAD_BRANCH, HEAD_SHA (all of the workflow_run event).
set -eu

summary=$1
marker='<!-- boxbench gate -->'
limit=60000 # a comment may have 65536 characters

number=$(gh api --method GET "repos/$REPOSITORY/pulls" -f state=open -f head="$HEAD_OWNER:$HEAD_BRANCH" \
    --jq ".[] | select(.head.sha == \"$HEAD_SHA\") | .number" | head -n 1)
if [ -z "$number" ]; then
    echo "no open pull request has $HEAD_SHA as its head: nothing to comment on" >&2
    exit 0
fi

body=$(mktemp)
trap 'rm -f "$body"' EXIT
frame='**Boxbench gate, computed by the pull request'"'"'s own job.** Whoever wrote the pull request also decided what this
job runs: the text below is theirs, and nobody has checked it. The log of the job shows what it ran.'

# Every line is made a line of a quotation, so that none of them can end it. A zero-width space takes apart what GitHub
# turns into links or pictures: [text](target), URLs, mentions, numbers of issues, kinds of code. Of HTML only the
# summary's own fold is kept.
quoted() {
    space=$(printf '\342\200\213')
    tr '\r' '\n' <"$summary" | tr -d '\000-\010\013\014\016-\037\177' | iconv -c -f UTF-8 -t UTF-8 | LC_ALL=C sed \
        -e 's/\\\([&<]\)/\1/g' -e 's/&/\&amp;/g' -e 's/&amp;\(amp\|lt\|gt\|quot\|#8203\);/\&\1;/g' \
        -e 's/</\&lt;/g' -e "s/\\([\`~]\\{3,\\}[[:blank:]]*\\)\\([^\`~[:blank:]]\\)/\\1$space\\2/g" \
        -e "s/@/@$space/g" -e "s/]/]$space/g" -e "s,://,:$space//,g" -e "s/\\([wW]\\{3\\}\\)\\./\\1$space./g" \
        -e "s/\\(^\|[^&]\\)#\\([0-9]\\)/\\1#$space\\2/g" -e "s/\\([gG][hH]\\)-\\([0-9]\\)/\\1-$space\\2/g" \
        -e 's,^&lt;\(/\{0\,1\}details\)>$,<\1>,' \
        -e 's,^&lt;summary>\(Not regressed: [0-9]*\)&lt;/summary>$,<summary>\1</summary>,' -e 's/^/> /'
}
{
    printf '%s\n%s\n\n' "$marker" "$frame"
    # The cut may leave a part of a character. iconv leaves it out, and complains.
    quoted | head -c "$limit" | iconv -c -f UTF-8 -t UTF-8 2>/dev/null || true
} >"$body"

old=$(gh api --paginate "repos/$REPOSITORY/issues/$number/comments" \
    --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$old" ]; then
    gh api --method PATCH "repos/$REPOSITORY/issues/comments/$old" -F body=@"$body" >/dev/null
else
    gh api --method POST "repos/$REPOSITORY/issues/$number/comments" -F body=@"$body" >/dev/null
fi
