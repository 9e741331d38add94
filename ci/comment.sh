#!/bin/sh
# comment.sh SUMMARY: post a gate's summary on the pull request of the run that made it. For the job with the token.
#
# The file comes from a job that ran untrusted code, so it is treated as text. The pull request is taken from GitHub's
# event, never from the file.
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
# Untrusted text must not mention people: a zero-width space breaks mentions.
{ printf '%s\n' "$marker"; head -c "$limit" "$summary" | iconv -c -f UTF-8 -t UTF-8 | sed 's/@/@\xe2\x80\x8b/g'; } >"$body"

old=$(gh api --paginate "repos/$REPOSITORY/issues/$number/comments" \
    --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$old" ]; then
    gh api --method PATCH "repos/$REPOSITORY/issues/comments/$old" -F body=@"$body" >/dev/null
else
    gh api --method POST "repos/$REPOSITORY/issues/$number/comments" -F body=@"$body" >/dev/null
fi
