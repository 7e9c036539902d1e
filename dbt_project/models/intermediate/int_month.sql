with

months_of_the_range as (

    select
        month_index,
        {{ month_date('month_index') }} as month,
        {{ month_last_day('month_index') }} as month_end
    from {{ month_series(range_first(), range_last()) }}

)

select * from months_of_the_range
