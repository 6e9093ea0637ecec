# shellcheck shell=bash
# Where backups go and come from: a folder, s3://BUCKET/PREFIX with the aws command (R2 too: ATELIER_S3_ENDPOINT), or
# rclone's REMOTE:PATH. Sourced by the other scripts.

# kind_of PLACE: folder, s3 or rclone; refuses what is none, or what has no program here.
kind_of() {
    case "$1" in
        s3://?*)
            command -v aws >/dev/null 2>&1 ||
                refuse "$1 needs the aws command (Debian: apt-get install awscli), or give rclone's form of it, REMOTE:BUCKET/PREFIX."
            echo s3
            ;;
        *://*) refuse "'$1' is no place for a backup: a folder, s3://BUCKET/PREFIX or rclone's REMOTE:PATH." ;;
        /* | .*) echo folder ;;
        *:*)
            command -v rclone >/dev/null 2>&1 ||
                refuse "$1 looks like a place of rclone, which is missing here (Debian: apt-get install rclone). A folder with a colon in its name: ./$1"
            echo rclone
            ;;
        *) echo folder ;;
    esac
}

s3() { aws ${ATELIER_S3_ENDPOINT:+--endpoint-url "$ATELIER_S3_ENDPOINT"} s3 "$@"; }

# put PLACE NAME: stores standard input there, in a folder as NAME.part. Then settle gives it its name, or drop takes it away.
put() {
    case "$(kind_of "$1")" in
        folder) cat >"$1/$2.part" ;;
        s3) s3 cp --only-show-errors --expected-size "${3:-5000000000}" - "${1%/}/$2" ;;
        rclone) rclone rcat "${1%/}/$2" ;;
    esac
}

settle() { if [ "$(kind_of "$1")" = folder ]; then mv "$1/$2.part" "$1/$2"; fi; }

drop() {
    case "$(kind_of "$1")" in
        folder) rm -f "$1/$2.part" ;;
        s3) s3 rm --only-show-errors "${1%/}/$2" ;;
        rclone) rclone deletefile "${1%/}/$2" ;;
    esac
}

# take FILE: what is stored there, on standard output.
take() {
    case "$(kind_of "$1")" in
        folder) cat "$1" ;;
        s3) s3 cp --only-show-errors "$1" - ;;
        rclone) rclone cat "$1" ;;
    esac
}
