# Outlives the program that started it by a moment. Standard input says what runs, and ends when the program does,
# however that ended: then whatever still runs is asked to end, killed when it does not, and its temporary folders are
# removed.
trap '' INT TERM HUP
set -f
what= folders=
end='
'
while IFS= read -r line; do
  rest=${line#?}
  case $line in
    +*) what="$what $rest" ;;
    -*)
      left=
      for one in $what; do [ "$one" = "$rest" ] || left="$left $one"; done
      what=$left
      ;;
    '@'*) folders=$folders$rest$end ;;
    '~'*)
      left= IFS=$end
      for one in $folders; do [ "$one" = "$rest" ] || left=$left$one$end; done
      folders=$left
      unset IFS
      ;;
  esac
done
any() {
  for one in $what; do kill -s "$1" -- "$one" && found=yes; done 2>/dev/null
}
any TERM
tries=0 found=yes
while [ -n "$what" ] && [ "$found" ] && [ $tries -lt 30 ]; do
  found= tries=$((tries + 1))
  any 0
  [ -z "$found" ] || sleep 0.1
done
any KILL
# What was killed a moment ago may still write.
for try in 1 2 3; do
  IFS=$end
  for one in $folders; do
    [ -d "$one" ] && { chmod -R u+w "$one"; rm -rf "$one" || sleep 0.2; }
  done
  unset IFS
done 2>/dev/null
